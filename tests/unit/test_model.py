"""The model of the tests is itself held against examples that were worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger_service.domain.errors import Reason
from tests.helpers.contract import PROMISES
from tests.helpers.model import (
    Account,
    Approval,
    Approve,
    ArchiveCategory,
    Categorize,
    Clear,
    Create,
    CreateCategory,
    Done,
    Edit,
    Ledger,
    Leg,
    Limit,
    Moment,
    Part,
    Refusal,
    RenameCategory,
    Reverse,
    SetLimits,
    SetState,
    Totals,
    Void,
)
from tests.helpers.wire import decimal

NOW = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def pay(key: str, debit: str, credit: str, amount: int, status: str = "POSTED", **more: object) -> Create:
    legs = (Leg(debit, "DEBIT", "USD", amount), Leg(credit, "CREDIT", "USD", amount))
    return Create(key, legs, status, **more)  # type: ignore[arg-type]


@pytest.fixture
def ledger() -> Ledger:
    """Sequence 3 after the entity and two accounts; the wallet may not be overdrawn."""
    return Ledger([Account("cash", "ASSET"), Account("wallet", "LIABILITY", limits=(Limit("USD", floor=0),))])


def done(answer: Done | Refusal | list[Done | Refusal]) -> Done:
    assert isinstance(answer, Done), answer
    return answer


def refused(answer: Done | Refusal | list[Done | Refusal]) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


def totals(ledger: Ledger, account: str, moment: Moment | None = None, now: datetime = NOW) -> Totals:
    return ledger.balance(account, "USD", now, moment or Moment()).totals


def test_a_posting_adds_to_the_posted_totals(ledger: Ledger) -> None:
    answer = done(ledger.apply(pay("a", "cash", "wallet", 500), NOW))
    assert answer.sequence == 4
    assert [(b.account, b.totals, b.entry_number, b.sequence) for b in answer.balances] == [
        ("cash", Totals(500, 0, 0, 0), 1, 4),
        ("wallet", Totals(0, 500, 0, 0), 1, 4),
    ]
    assert totals(ledger, "wallet").available("CREDIT") == 500


def test_pending_outflow_is_not_available_and_pending_inflow_is_not_either(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500), NOW))
    done(ledger.apply(pay("b", "wallet", "cash", 200, "PENDING"), NOW))
    done(ledger.apply(pay("c", "cash", "wallet", 50, "CLEARED"), NOW))
    wallet = totals(ledger, "wallet")
    assert wallet == Totals(0, 500, 200, 50)
    assert (wallet.posted("CREDIT"), wallet.pending("CREDIT"), wallet.available("CREDIT")) == (500, 350, 300)
    assert wallet.reachable("CREDIT") == 550


def test_the_floor_holds_and_the_refusal_is_recorded(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500), NOW))
    no = refused(ledger.apply(pay("b", "wallet", "cash", 501, "PENDING"), NOW))
    assert no.reason == "INSUFFICIENT_BALANCE"
    assert ledger.sequence == 5
    done(ledger.apply(pay("c", "cash", "wallet", 500), NOW))
    assert ledger.apply(pay("b", "wallet", "cash", 501, "PENDING"), NOW) == no
    assert ledger.sequence == 6


def test_a_key_means_one_request(ledger: Ledger) -> None:
    first = done(ledger.apply(pay("a", "cash", "wallet", 500), NOW))
    assert ledger.apply(pay("a", "cash", "wallet", 500), NOW) == first._replace(replayed=True)
    other = refused(ledger.apply(pay("a", "cash", "wallet", 501), NOW))
    assert other == Refusal("IDEMPOTENCY_KEY_REUSED", (("idempotency_key", "a"), ("sequence", "4")))
    assert (ledger.sequence, totals(ledger, "wallet")) == (4, Totals(0, 500, 0, 0))


def test_a_deadline_ends_a_hold_at_its_instant_and_the_event_follows(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500, "PENDING", expire=NOW + HOUR), NOW))
    just_before = NOW + HOUR - timedelta(microseconds=1)
    assert totals(ledger, "wallet", now=just_before) == Totals(0, 0, 0, 500)
    assert totals(ledger, "wallet", now=NOW + HOUR) == Totals()
    assert ledger.sequence == 4
    assert refused(ledger.apply(Void("b", 4), NOW + HOUR)).reason == "INVALID_STATUS"
    assert [event.kind for event in ledger.events[3:]] == [
        "TRANSACTION_CREATED",
        "TRANSACTION_EXPIRED",
        "WRITE_REFUSED",
    ]
    ledger.times = {4: NOW, 5: NOW + HOUR}
    assert totals(ledger, "wallet", Moment(known_sequence=4)) == Totals(0, 0, 0, 500)
    assert totals(ledger, "wallet", Moment(known_sequence=5)) == Totals()
    assert refused(ledger.apply(pay("c", "cash", "wallet", 1, "PENDING", expire=NOW + HOUR), NOW + HOUR)) == (
        Refusal("EXPIRE_TIME_PASSED")
    )


def test_partial_approval_releases_the_rest(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500, "PENDING"), NOW))
    answer = done(ledger.apply(Approve("b", (Approval(4, 200),)), NOW))
    assert answer.views[0].legs[0].amount == 200
    assert totals(ledger, "cash") == Totals(200, 0, 0, 0)
    assert [entry.kind for entry in ledger.entries_of("cash", "USD")] == ["HOLD", "SETTLE", "RELEASE"]


def test_approvals_are_all_or_none(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500, "PENDING"), NOW))
    done(ledger.apply(pay("b", "cash", "wallet", 100), NOW))
    no = refused(ledger.apply(Approve("c", (Approval(4), Approval(5))), NOW))
    assert (no.reason, dict(no.metadata)["failed_index"]) == ("INVALID_STATUS", "1")
    assert ledger.current(4).status == "PENDING"
    assert ledger.sequence == 6
    assert done(ledger.apply(Approve("d", (Approval(4),)), NOW)).views[0].revision == 2


def test_precedence_of_what_is_wrong_with_a_change(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500, "PENDING"), NOW))
    done(ledger.apply(SetState("f", "cash", "FROZEN"), NOW))
    assert refused(ledger.apply(Clear("b", 99), NOW)).reason == "TRANSACTION_NOT_FOUND"
    assert refused(ledger.apply(Clear("c", 4, expected_revision=2), NOW)).reason == "REVISION_MISMATCH"
    assert refused(ledger.apply(Clear("d", 4), NOW)).reason == "ACCOUNT_FROZEN"
    done(ledger.apply(Void("e", 4), NOW))
    assert refused(ledger.apply(Clear("g", 4), NOW)).reason == "INVALID_STATUS"


def test_reversals_never_exceed_the_original(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 500), NOW))
    first = done(ledger.apply(Reverse("b", 4, amount=200), NOW)).views[0]
    assert [(leg.account, leg.side, leg.amount) for leg in first.legs] == [
        ("cash", "CREDIT", 200),
        ("wallet", "DEBIT", 200),
    ]
    assert refused(ledger.apply(Reverse("c", 4, amount=301), NOW)).reason == "REVERSAL_EXCEEDS_ORIGINAL"
    rest = done(ledger.apply(Reverse("d", 4), NOW)).views[0]
    assert rest.legs[0].amount == 300
    assert ledger.current(4).reversed_by == (5, 7)
    parts = Reverse("e", 4, parts=(Part(0, 1), Part(1, 1)))
    assert refused(ledger.apply(parts, NOW)).reason == "REVERSAL_EXCEEDS_ORIGINAL"
    assert refused(ledger.apply(Reverse("f", 5), NOW)).reason == "INVALID_STATUS"


def test_an_edit_moves_the_hold_and_keeps_the_version_before(ledger: Ledger) -> None:
    ledger.add_account(Account("other", "LIABILITY"))
    done(ledger.apply(pay("a", "cash", "wallet", 500, "PENDING"), NOW))
    answer = done(ledger.apply(Edit("b", 5, accounts=("cash", "other"), description="moved"), NOW))
    assert totals(ledger, "wallet") == Totals()
    assert totals(ledger, "other") == Totals(0, 0, 0, 500)
    assert answer.views[0].description == "moved"
    assert [view.legs[1].account for view in ledger.versions[5]] == ["wallet", "other"]


def test_an_atomic_batch_that_fails_uses_up_all_its_keys(ledger: Ledger) -> None:
    batch = [pay("a", "cash", "wallet", 5), pay("b", "wallet", "cash", 6), pay("c", "cash", "wallet", 7)]
    no = refused(ledger.apply_batch(batch, NOW, atomic=True))
    assert (no.reason, dict(no.metadata)["failed_index"]) == ("INSUFFICIENT_BALANCE", "1")
    assert totals(ledger, "wallet") == Totals()
    assert [event.reason for event in ledger.events[3:]] == [
        "BATCH_ABORTED",
        "INSUFFICIENT_BALANCE",
        "BATCH_ABORTED",
    ]
    assert ledger.apply_batch(batch, NOW, atomic=True) == no
    assert refused(ledger.apply(batch[0], NOW)).reason == "BATCH_ABORTED"
    assert ledger.sequence == 6


def test_a_batch_that_is_not_atomic_is_one_by_one(ledger: Ledger) -> None:
    first = pay("a", "cash", "wallet", 5)
    answers = ledger.apply_batch([first, pay("b", "wallet", "cash", 6), first], NOW, atomic=False)
    assert isinstance(answers, list)
    assert [getattr(each, "reason", None) or done(each).replayed for each in answers] == [
        False,
        "INSUFFICIENT_BALANCE",
        True,
    ]
    assert ledger.sequence == 5


def test_a_rehearsal_changes_nothing_and_uses_no_key(ledger: Ledger) -> None:
    answer = done(ledger.apply(pay("a", "cash", "wallet", 5, validate_only=True), NOW))
    assert (answer.sequence, answer.balances[0].totals) == (0, Totals(5, 0, 0, 0))
    assert (ledger.sequence, ledger.entries) == (3, [])
    assert not done(ledger.apply(pay("a", "cash", "wallet", 5), NOW)).replayed


def test_states_and_limits_of_accounts(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 5), NOW))
    assert refused(ledger.apply(SetState("b", "wallet", "CLOSED"), NOW)).reason == "ACCOUNT_NOT_EMPTY"
    limits = (Limit("USD", floor=6),)
    assert refused(ledger.apply(SetLimits("c", "wallet", limits), NOW)).reason == "LIMIT_ALREADY_BROKEN"
    done(ledger.apply(Reverse("d", 4), NOW))
    done(ledger.apply(SetState("e", "wallet", "CLOSED"), NOW))
    assert refused(ledger.apply(pay("f", "cash", "wallet", 5), NOW)).reason == "ACCOUNT_CLOSED"
    assert refused(ledger.apply(SetState("g", "wallet", "OPEN"), NOW)).reason == "ACCOUNT_CLOSED"


def test_categories_are_annotations(ledger: Ledger) -> None:
    done(ledger.apply(CreateCategory("a", "rent", "Rent"), NOW))
    done(ledger.apply(pay("b", "cash", "wallet", 5, "PENDING", category="rent", expire=NOW + HOUR), NOW))
    assert refused(ledger.apply(pay("c", "cash", "wallet", 5, category="none"), NOW)).reason == "CATEGORY_NOT_FOUND"
    assert refused(ledger.apply(Categorize("d", 5, "rent", expected_revision=2), NOW)).reason == "REVISION_MISMATCH"
    done(ledger.apply(Categorize("e", 5, ""), NOW))
    done(ledger.apply(ArchiveCategory("f", "rent"), NOW))
    assert refused(ledger.apply(Categorize("g", 5, "rent"), NOW)).reason == "CATEGORY_ARCHIVED"
    late = done(ledger.apply(Categorize("h", 5, ""), NOW + HOUR)).views[0]
    assert (late.status, late.revision, late.by_server) == ("EXPIRED", 4, False)
    assert [view.category for view in ledger.versions[5]] == ["rent", "", "", ""]
    assert [view.by_server for view in ledger.versions[5]] == [False, False, True, False]
    assert totals(ledger, "wallet") == Totals()


def test_names_of_categories(ledger: Ledger) -> None:
    done(ledger.apply(CreateCategory("a", "rent", "Rent"), NOW))
    assert refused(ledger.apply(CreateCategory("b", "rent", "Else"), NOW)).reason == "CATEGORY_ALREADY_EXISTS"
    no = refused(ledger.apply(CreateCategory("c", "fun", "Rent"), NOW))
    assert (no.reason, dict(no.metadata)["category_id"]) == ("CATEGORY_NAME_TAKEN", "rent")
    done(ledger.apply(RenameCategory("d", "rent", "Lease"), NOW))
    done(ledger.apply(CreateCategory("e", "fun", "Rent"), NOW))
    assert refused(ledger.apply(RenameCategory("f", "rent", "Rent"), NOW)).reason == "CATEGORY_NAME_TAKEN"
    done(ledger.apply(ArchiveCategory("g", "fun"), NOW))
    assert done(ledger.apply(RenameCategory("h", "rent", "Rent"), NOW)).category == ledger.categories["rent"]
    assert refused(ledger.apply(RenameCategory("i", "fun", "Fun"), NOW)).reason == "CATEGORY_ARCHIVED"
    assert ledger.categories["rent"].revision == 3


def test_a_repetition_finds_what_is_due_ended(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 5, "PENDING", expire=NOW + HOUR), NOW))
    done(ledger.apply(pay("b", "cash", "wallet", 7), NOW))
    assert done(ledger.apply(pay("b", "cash", "wallet", 7), NOW + HOUR)).replayed
    assert (ledger.sequence, ledger.current(4).status) == (6, "EXPIRED")


def test_totals_have_at_most_38_digits(ledger: Ledger) -> None:
    done(ledger.apply(pay("a", "cash", "wallet", 10**38 - 1), NOW))
    assert refused(ledger.apply(pay("b", "cash", "wallet", 1), NOW)).reason == "AMOUNT_OVERFLOW"


def test_both_axes_of_time(ledger: Ledger) -> None:
    early = NOW - 30 * 24 * HOUR
    done(ledger.apply(pay("a", "cash", "wallet", 5, effective=NOW - HOUR), NOW))
    done(ledger.apply(pay("b", "cash", "wallet", 7, effective=early), NOW + HOUR))
    ledger.times = {1: early, 2: early, 3: early, 4: NOW, 5: NOW + HOUR}
    assert totals(ledger, "cash", Moment(effective=early)) == Totals(7, 0, 0, 0)
    assert totals(ledger, "cash", Moment(effective=early, known_sequence=4)) == Totals()
    assert totals(ledger, "cash", Moment(known_time=NOW)) == Totals(5, 0, 0, 0)
    numbers = [ledger.balance("cash", "USD", NOW, Moment(effective=early)).entry_number]
    numbers.append(ledger.balance("cash", "USD", NOW, Moment(known_time=NOW)).entry_number)
    assert numbers == [2, 1]


def test_a_subtree_is_summed_up_in_the_sense_of_its_root() -> None:
    ledger = Ledger(
        [
            Account("all", "ASSET"),
            Account("cash", "ASSET", parent="all"),
            Account("debt", "LIABILITY", parent="all"),
        ]
    )
    done(ledger.apply(pay("a", "cash", "debt", 5), NOW))
    (total,) = ledger.subtree_balances("all", NOW)
    assert (total.normal_side, total.totals, total.entry_number) == ("DEBIT", Totals(5, 5, 0, 0), 0)


def test_errors_proto_promises_a_code_for_every_reason() -> None:
    assert len(PROMISES) == len(Reason)
    assert PROMISES["INSUFFICIENT_BALANCE"].metadata == {"account_id", "currency", "available", "floor"}
    assert PROMISES["ENTITY_NOT_FOUND"].code.name == "NOT_FOUND"


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [(0, "USD", "0.00"), (5, "USD", "0.05"), (-1250, "USD", "-12.50"), (7, "JPY", "7"), (12, "KWD", "0.012")],
)
def test_amounts_as_the_wire_writes_them(units: int, currency: str, text: str) -> None:
    assert decimal(units, currency) == text
