"""Requests as commands: each limit exactly at its edge and one beyond."""

from __future__ import annotations

import json
from dataclasses import fields as members
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.intake import chart, fields, transactions
from ledger_service.application.intake.fields import RawLimit, RawMoney, RawPosting
from ledger_service.domain.account import AccountType, Side
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.fingerprint import fingerprint
from ledger_service.domain.money import MAX_MINOR_UNITS
from ledger_service.domain.transaction import Status

CURRENCIES = {"USD": 2, "EUR": 2, "JPY": 0} | {f"X{number:02}": 2 for number in range(70)}
MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


def usd(amount: str = "1.00") -> RawMoney:
    """An amount."""
    return RawMoney("USD", amount)


def legs(count: int) -> list[RawPosting]:
    """So many balanced postings."""
    debits = [RawPosting(f"account-{number}", 1, usd("0.01")) for number in range(count - 1)]
    return [*debits, RawPosting("other", 2, RawMoney("USD", f"{(count - 1) // 100}.{(count - 1) % 100:02}"))]


def create(**values: Any) -> Any:
    """A valid transaction, unless `values` spoil it."""
    values = {"idempotency_key": "key", "postings": legs(2), **values}
    return transactions.create_transaction(CURRENCIES, "a test", **values)


def create_account(**values: Any) -> Any:
    """A valid account, unless `values` spoil it."""
    values = {
        "idempotency_key": "", "account_id": "cash", "fresh_id": "acc_1", "type_": 1, "code": "", "name": "Cash",
        "parent_id": "", "contra": False, "currency_codes": (), "limits": (), "metadata_object": None, **values,
    }  # fmt: skip
    return chart.create_account(CURRENCIES, "a test", **values)


def update_account(**values: Any) -> Any:
    """A valid change of an account, unless `values` spoil it."""
    values = {
        "idempotency_key": "", "account_id": "cash", "fields": ["name"], "name": "Cash", "code": "", "parent_id": "",
        "currency_codes": (), "limits": (), "metadata_object": None, "expected_revision": 0, **values,
    }  # fmt: skip
    return chart.update_account(CURRENCIES, "a test", **values)


def edit(**values: Any) -> Any:
    """A valid edit, unless `values` spoil it."""
    values = {
        "idempotency_key": "key", "transaction_id": "txn", "debit_account_id": "", "credit_account_id": "",
        "account_ids": (), "description": "x", "expected_revision": 0, **values,
    }  # fmt: skip
    return transactions.edit_transaction("a test", **values)


def approve(**values: Any) -> Any:
    """A valid approval, unless `values` spoil it."""
    values = {"idempotency_key": "key", "approvals": [("txn", None, 0)], **values}
    return transactions.approve_transactions(CURRENCIES, "a test", **values)


def reverse(**values: Any) -> Any:
    """A valid reversal, unless `values` spoil it."""
    values = {
        "idempotency_key": "key", "transaction_id": "txn", "amount": None, "parts": (), "effective_time": None,
        "description": "", "reference": "", "metadata_object": None, **values,
    }  # fmt: skip
    return transactions.reverse_transaction(CURRENCIES, "a test", **values)


def refused(call: Any, **values: Any) -> LedgerError:
    """The refusal of a request."""
    with pytest.raises(LedgerError) as caught:
        call(**values)
    return caught.value


def nested(depth: int) -> dict[str, Any]:
    """Objects within objects, the innermost empty."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def of_size(size: int) -> dict[str, str]:
    """An object that takes so many bytes as JSON."""
    return {"a": "x" * (size - len('{"a":""}'))}


WIDEST = 64
MONEY_EDGE = "9" * 36 + ".99"

TEXTS = [
    (create, "idempotency_key", 255), (create, "description", 1000), (create, "reference", 200),
    (create, "counterparty", 200), (create, "category_id", 64), (edit, "idempotency_key", 255),
    (edit, "transaction_id", 64), (edit, "debit_account_id", 64), (edit, "credit_account_id", 64),
    (edit, "description", 1000), (approve, "idempotency_key", 255), (reverse, "transaction_id", 64),
    (reverse, "description", 1000), (reverse, "reference", 200), (create_account, "idempotency_key", 255),
    (create_account, "account_id", 64), (create_account, "code", 40), (create_account, "name", 200),
    (create_account, "parent_id", 64), (update_account, "account_id", 64), (update_account, "name", 200),
]  # fmt: skip


@pytest.mark.parametrize(("call", "name", "longest"), TEXTS)
def test_texts_are_bounded_in_characters(call: Any, name: str, longest: int) -> None:
    call(**{name: "x" * longest})
    assert refused(call, **{name: "x" * (longest + 1)}).metadata == {"field": name}
    if name != "account_id" or call is not create_account:  # an id of the caller's choice is ASCII
        call(**{name: "\u00e9" * longest})


@pytest.mark.parametrize(("call", "name", "_longest"), TEXTS)
@pytest.mark.parametrize("bad", ["\0", "a\0b", "\x1b[1m", "\x7f", "\u202e", "\ud800", "a\rb", "\ufeff"])
def test_texts_are_printable(call: Any, name: str, _longest: int, bad: str) -> None:
    error = refused(call, **{name: bad})
    assert error.reason is Reason.INVALID_ARGUMENT
    assert error.metadata == {"field": name}
    assert error.message.isprintable()


def test_only_descriptions_have_several_lines() -> None:
    assert create(description="one\n\ttwo").description == "one\n\ttwo"
    assert refused(create, reference="one\ntwo").metadata == {"field": "reference"}


def test_empty_texts_are_none() -> None:
    command = create()
    assert [command.description, command.reference, command.counterparty, command.category_id, command.metadata] == (
        [None] * 5
    )


@pytest.mark.parametrize("call", [create, edit, approve, reverse])
def test_a_key_is_required(call: Any) -> None:
    assert refused(call, idempotency_key="").metadata == {"field": "idempotency_key"}


def test_accounts_need_no_key() -> None:
    assert create_account().key is None
    assert update_account().key is None


@pytest.mark.parametrize("count", [2, 1000])
def test_postings(count: int) -> None:
    assert len(create(postings=legs(count)).postings) == count


@pytest.mark.parametrize("postings", [[], legs(2)[:1], legs(1001)])
def test_too_few_or_too_many_postings(postings: list[RawPosting]) -> None:
    assert refused(create, postings=postings).metadata == {"field": "postings"}


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (RawPosting("", 1, usd()), "account_id"),
        (RawPosting("x" * 65, 1, usd()), "account_id"),
        (RawPosting("a", 0, usd()), "side"),
        (RawPosting("a", 3, usd()), "side"),
        (RawPosting("a", -1, usd()), "side"),
        (RawPosting("a", 1, None), "amount"),
        (RawPosting("a", 1, usd("0")), "amount.amount"),
        (RawPosting("a", 1, usd("-1")), "amount.amount"),
        (RawPosting("a", 1, usd("1" + MONEY_EDGE)), "amount.amount"),
        (RawPosting("a", 1, RawMoney("usd", "1")), "amount.currency"),
        (RawPosting("a", 1, RawMoney("GBP", "1")), "amount.currency"),
        (RawPosting("a", 1, RawMoney("JPY", "1.0")), "amount.amount"),
    ],
)
def test_a_bad_posting_is_named_with_its_place(bad: RawPosting, field: str) -> None:
    assert refused(create, postings=[legs(2)[0], bad]).metadata["field"] == f"postings[1].{field}"


def test_the_largest_amount() -> None:
    command = create(postings=[RawPosting("a", 1, usd(MONEY_EDGE)), RawPosting("b", 2, usd(MONEY_EDGE))])
    assert [leg.amount for leg in command.postings] == [MAX_MINOR_UNITS] * 2


def test_each_currency_balances_by_itself() -> None:
    postings = [
        RawPosting("a", 1, usd("2")), RawPosting("b", 2, usd("1.99")), RawPosting("a", 1, RawMoney("EUR", "1.99")),
        RawPosting("b", 2, RawMoney("EUR", "2")),
    ]  # fmt: skip
    error = refused(create, postings=postings)
    assert error.reason is Reason.UNBALANCED_TRANSACTION
    assert error.metadata == {"field": "postings", "currency": "USD", "debits": "2.00", "credits": "1.99"}


def test_one_sided_postings_do_not_balance() -> None:
    error = refused(create, postings=[RawPosting("a", 1, usd()), RawPosting("b", 1, usd())])
    assert (error.metadata["debits"], error.metadata["credits"]) == ("2.00", "0.00")


def test_both_forms_mean_the_same_and_have_one_fingerprint() -> None:
    two = create(postings=(), debit_account_id="a", credit_account_id="b", amount=usd("1.5"))
    full = create(postings=[RawPosting("a", 1, usd("1.50")), RawPosting("b", 2, usd("01.50"))])
    assert two == full


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"debit_account_id": "a", "credit_account_id": "b", "amount": usd()}, "postings"),
        ({"postings": (), "debit_account_id": "a", "credit_account_id": "b"}, "amount"),
        ({"postings": (), "debit_account_id": "a", "amount": usd()}, "credit_account_id"),
        ({"postings": (), "credit_account_id": "a", "amount": usd()}, "debit_account_id"),
        ({"postings": (), "debit_account_id": "a", "credit_account_id": "a", "amount": usd()}, "credit_account_id"),
        ({"status": 4}, "status"),
        ({"status": 5}, "status"),
        ({"status": -1}, "status"),
        ({"status": 3, "expire_time": MOMENT}, "expire_time"),
    ],
)
def test_members_that_do_not_go_together(values: dict[str, Any], field: str) -> None:
    assert refused(create, **values).metadata == {"field": field}


def test_statuses() -> None:
    assert [create(status=status).status for status in (0, 1, 2, 3)] == [
        Status.PENDING, Status.PENDING, Status.CLEARED, Status.POSTED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"status": 3}, {"effective_time": MOMENT}, {"expire_time": MOMENT}, {"description": "x"}, {"reference": "x"},
        {"counterparty": "x"}, {"category_id": "x"}, {"metadata_object": {"a": 1.0}}, {"postings": legs(3)},
    ],
)  # fmt: skip
def test_every_member_counts_in_the_fingerprint(change: dict[str, Any]) -> None:
    assert create(**change).fingerprint != create().fingerprint


_line = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8)
_moment = st.none() | st.datetimes(timezones=st.just(UTC))


@given(
    accounts=st.tuples(_line.filter(bool), _line.filter(bool)),
    sides=st.sampled_from([(1, 2), (2, 1), (Side.DEBIT, Side.CREDIT)]),
    status=st.integers(0, 2),
    moments=st.tuples(_moment, _moment),
    texts=st.tuples(*[_line] * 4),
    metadata=st.dictionaries(_line, _line, max_size=2),
)
def test_the_fingerprint_is_the_one_that_was_always_stored(
    accounts: tuple[str, str],
    sides: tuple[int, int],
    status: int,
    moments: tuple[datetime | None, datetime | None],
    texts: tuple[str, str, str, str],
    metadata: dict[str, str],
) -> None:
    description, reference, counterparty, category_id = texts
    made = create(
        postings=[RawPosting(account, side, usd()) for account, side in zip(accounts, sides, strict=True)],
        status=status,
        effective_time=moments[0],
        expire_time=moments[1],
        description=description,
        reference=reference,
        counterparty=counterparty,
        category_id=category_id,
        metadata_object=metadata,
    )
    assert made.fingerprint == fingerprint(
        "CreateTransaction",
        (
            ("postings", tuple((account, side, "USD", 100) for account, side in zip(accounts, sides, strict=True))),
            ("status", status or 1),
            ("effective_time", moments[0]),
            ("expire_time", moments[1]),
            ("description", description),
            ("reference", reference),
            ("counterparty", counterparty),
            ("category_id", category_id),
            ("metadata", fields.metadata(metadata)),
        ),
    )


def test_key_and_rehearsal_do_not_count_in_the_fingerprint() -> None:
    assert create(idempotency_key="other", validate_only=True).fingerprint == create().fingerprint


def test_metadata_is_bounded_in_bytes_and_depth() -> None:
    assert len(create(metadata_object=of_size(16 * 1024)).metadata) == 16 * 1024
    assert refused(create, metadata_object=of_size(16 * 1024 + 1)).metadata == {"field": "metadata"}
    wide = {"a": "\u00e9" * ((16 * 1024 - 8) // 2)}
    assert len(create(metadata_object=wide).metadata.encode()) == 16 * 1024
    assert refused(create, metadata_object={"a": wide["a"] + "\u00e9"}).metadata == {"field": "metadata"}
    assert create(metadata_object=nested(16)).metadata == json.dumps(nested(16), separators=(",", ":"))
    assert refused(create, metadata_object=nested(17)).metadata == {"field": "metadata"}
    assert refused(create, metadata_object=nested(500)).metadata == {"field": "metadata"}


@pytest.mark.parametrize(
    "bad",
    [
        {"a": "\0"}, {"a": "\ud800"}, {"a\0": 1}, {"\udfff": 1}, {"a": [{"b": "\0"}]}, {"a": float("nan")},
        {"a": float("inf")}, {"a": [-float("inf")]}, [1], "text", 7,
    ],
)  # fmt: skip
def test_metadata_that_is_no_json_object_for_postgresql(bad: object) -> None:
    assert refused(create, metadata_object=bad).metadata == {"field": "metadata"}


def test_metadata_is_canonical() -> None:
    one, other = (
        create(metadata_object={"b": 1, "a": {"d": 2, "c": 3}}),
        create(metadata_object={"a": {"c": 3, "d": 2}, "b": 1}),
    )
    assert one == other
    assert create(metadata_object={}).metadata is None


def test_approvals() -> None:
    many = [(f"txn-{number}", None, 0) for number in range(1001)]
    assert len(approve(approvals=many[:1000]).approvals) == 1000
    assert refused(approve, approvals=many).metadata == {"field": "approvals"}
    assert refused(approve, approvals=[]).metadata == {"field": "approvals"}
    assert refused(approve, approvals=[("a", None, 0), ("a", None, 0)]).metadata == {
        "field": "approvals[1].transaction_id"
    }
    assert refused(approve, approvals=[("a", usd("0"), 0)]).metadata["field"] == "approvals[0].amount.amount"
    assert refused(approve, approvals=[("a", None, -1)]).metadata["field"] == "approvals[0].expected_revision"


def test_edits() -> None:
    assert len(edit(account_ids=["a"] * 1000).accounts) == 1000
    assert refused(edit, account_ids=["a"] * 1001).metadata == {"field": "account_ids"}
    assert refused(edit, account_ids=["a", ""]).metadata == {"field": "account_ids[1]"}
    assert refused(edit, account_ids=["a"], debit_account_id="b").metadata == {"field": "account_ids"}
    assert refused(edit, debit_account_id="a", credit_account_id="a").metadata == {"field": "credit_account_id"}
    assert refused(edit, description=None).metadata == {"field": "description"}
    assert refused(edit, expected_revision=-1).metadata == {"field": "expected_revision"}
    cleared, kept = edit(description="", debit_account_id="a"), edit(description=None, debit_account_id="a")
    assert (cleared.description, kept.description) == ("", None)
    assert cleared.fingerprint != kept.fingerprint


def test_reversals() -> None:
    parts = [(number, usd()) for number in range(1001)]
    assert len(reverse(parts=parts[:1000]).parts) == 1000
    assert refused(reverse, parts=parts).metadata == {"field": "parts"}
    assert refused(reverse, parts=[(0, usd())], amount=usd()).metadata == {"field": "parts"}
    assert refused(reverse, parts=[(-1, usd())]).metadata == {"field": "parts[0].posting_index"}
    assert refused(reverse, parts=[(0, usd()), (0, usd())]).metadata == {"field": "parts[1].posting_index"}
    assert refused(reverse, parts=[(0, None)]).metadata == {"field": "parts[0].amount"}
    assert refused(reverse, amount=usd("0")).metadata["field"] == "amount.amount"


def test_accounts() -> None:
    assert create_account(account_id="").account_id == "acc_1"
    assert {create_account(type_=int(type_)).type for type_ in AccountType} == set(AccountType)
    for type_ in (0, 6, -1):
        assert refused(create_account, type_=type_).metadata == {"field": "type"}
    assert refused(create_account, name="").metadata == {"field": "name"}
    assert refused(create_account, account_id="ab").metadata == {"field": "account_id"}


def test_currencies_of_an_account() -> None:
    codes = [f"X{number:02}" for number in range(WIDEST + 1)]
    assert create_account(currency_codes=codes[:WIDEST]).currencies == tuple(codes[:WIDEST])
    assert refused(create_account, currency_codes=codes).metadata == {"field": "currencies"}
    assert refused(create_account, currency_codes=["USD", "USD"]).metadata == {"field": "currencies[1]"}
    assert refused(create_account, currency_codes=["USD", "GBP"]).reason is Reason.UNKNOWN_CURRENCY
    assert create_account(currency_codes=["USD", "EUR"]) == create_account(currency_codes=["EUR", "USD"])


def test_limits_of_an_account() -> None:
    limits = [RawLimit(f"X{number:02}", "0", None) for number in range(WIDEST + 1)]
    assert len(create_account(limits=limits[:WIDEST]).limits) == WIDEST
    assert refused(create_account, limits=limits).metadata == {"field": "limits"}
    [equal] = create_account(limits=[RawLimit("USD", "-1.5", "-1.50")]).limits
    assert (equal.floor, equal.ceiling) == (-150, -150)


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        (RawLimit("USD", None, None), "limits[1]"),
        (RawLimit("USD", "1.01", "1"), "limits[1].ceiling"),
        (RawLimit("USD", "1.001", None), "limits[1].floor"),
        (RawLimit("USD", None, "--1"), "limits[1].ceiling"),
        (RawLimit("USD", "-1" + MONEY_EDGE, None), "limits[1].floor"),
        (RawLimit("EUR", "0", None), "limits[1].currency"),
        (RawLimit("JPY", "0", None), "limits[1].currency"),
        (RawLimit("GBP", "0", None), "limits[1].currency"),
    ],
)
def test_bad_limits(limit: RawLimit, field: str) -> None:
    error = refused(create_account, currency_codes=["USD", "EUR"], limits=[RawLimit("EUR", "0", None), limit])
    assert error.metadata["field"] == field


def test_masks() -> None:
    assert update_account(fields=["name", "name"]).fields == {"name"}
    for bad in ([], [""], ["name", "type"], ["*"]):
        assert refused(update_account, fields=bad).metadata == {"field": "update_mask"}
    untouched = update_account(fields=["code"], name="x" * 1000, limits=[RawLimit("?", None, None)])
    assert (untouched.name, untouched.limits) == ("", ())


def test_time_zones() -> None:
    assert fields.check_time_zone("") == "UTC"
    assert fields.check_time_zone("Europe/Prague") == "Europe/Prague"
    for bad in ("europe/prague", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "UTC\0", "x" * 10_000):
        assert refused(fields.check_time_zone, name=bad).metadata == {"field": "time_zone"}


def test_commands_know_their_actor() -> None:
    for made in (create(), create_account(), update_account(), edit(), approve(), reverse()):
        assert made.actor == "a test"
        assert len(made.fingerprint) == 16
        assert "key" in {one.name for one in members(made)}
