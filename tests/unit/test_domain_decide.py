"""Deciding without a database: taking back leaves no trace, and amounts, charts and limits at their edges."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from ledger_service.domain import commands as c
from ledger_service.domain.account import MAX_TREE_DEPTH, Account, AccountState, AccountType, Limit
from ledger_service.domain.decide import Applied, Book, Outcome, Refused
from ledger_service.domain.decide.book import Head
from ledger_service.domain.errors import Reason
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.money import MAX_MINOR_UNITS
from ledger_service.domain.transaction import EventKind, Status
from tests.helpers.deciding import decided
from tests.helpers.fake_store import NOW, account, entity

DEBIT, CREDIT = 1, 2
NARROW = 2**63


def book_of(*accounts: Account, **values: Any) -> Book:
    """A book of these accounts; the sequence is beyond all of theirs."""
    book = Book(entity(1), 1000, NOW, **values)
    for one in accounts or (account(1, "cash"), account(2, "wallet", AccountType.LIABILITY)):
        book.accounts[one.account_id] = one
        book.accounts_by_no[one.account_no] = one
        if one.code is not None:
            book.codes[one.code] = one.account_id
    return book


def create(key: str, amount: int = 1, *, debit: str = "cash", credit: str = "wallet", **values: Any) -> c.Command:
    """A transaction of two postings."""
    postings = (c.NewPosting(debit, DEBIT, "USD", amount), c.NewPosting(credit, CREDIT, "USD", amount))
    values = {"status": Status.POSTED, **values}
    return c.CreateTransaction(key=key, fingerprint=key.encode(), actor="a test", postings=postings, **values)


def open_account(account_id: str, key: str | None = None, **values: Any) -> c.CreateAccount:
    """A new asset."""
    made: dict[str, Any] = {
        "type": AccountType.ASSET, "contra": False, "code": None, "name": account_id, "parent_id": None,
        "currencies": (), "limits": (), "metadata": None, **values,
    }  # fmt: skip
    return c.CreateAccount(key=key, fingerprint=account_id.encode(), actor="a test", account_id=account_id, **made)


def update(account_id: str, **values: Any) -> c.UpdateAccount:
    """Change the members that are given."""
    return c.UpdateAccount(
        key=None, fingerprint=b"u", actor="a test", account_id=account_id, fields=frozenset(values), **values
    )


def write(**values: Any) -> dict[str, Any]:
    """What all commands have."""
    return {"key": None, "fingerprint": b"w", "actor": "a test", **values}


def run(book: Book, *commands: c.Command, atomic: bool = False) -> list[Outcome]:
    """Decide one unit."""
    [outcomes] = decided(book, [c.Unit(1, list(commands), atomic=atomic)])
    return outcomes


def reason(outcome: Outcome) -> Reason:
    """Why it was refused."""
    assert isinstance(outcome, Refused), outcome
    return outcome.error.reason


def state(book: Book) -> dict[str, Any]:
    """All that a book holds, in containers of its own."""
    return {one.name: copy.copy(getattr(book, one.name)) for one in fields(book)}


def held(book: Book, amount: int = 10) -> str:
    """A pending transaction; gives its id."""
    [outcome] = run(book, create(f"held-{book.sequence}", amount, status=Status.PENDING))
    assert isinstance(outcome, Applied)
    return transaction_id(1, outcome.sequence, book.entity.id_key)


def every_kind(book: Book) -> list[c.Command]:
    """Commands that change everything that a book holds, all of which are applied."""
    first, second, third = held(book), held(book), held(book)
    [posted] = run(book, create("to-reverse", 5))
    assert isinstance(posted, Applied)
    original = book.transactions[book.sequence] = posted.transactions[0]
    return [
        create("a", 3),
        create("b", 3, status=Status.PENDING),
        c.ClearTransaction(**write(key="c"), transaction_id=first),
        c.EditTransaction(**write(key="d"), transaction_id=first, description="other", debit_account_id="spare"),
        c.ApproveTransactions(
            **write(key="e"), approvals=(c.Approval(first, None, None, 0), c.Approval(second, "USD", 4, 0))
        ),
        c.VoidTransaction(**write(key="f"), transaction_id=third),
        c.ReverseTransaction(
            **write(key="g"), transaction_id=transaction_id(1, original.transaction_no, book.entity.id_key), amount=2,
            currency="USD",
        ),
        open_account("child", code="77", parent_id="cash", limits=(Limit("USD", 0, None),)),
        update("child", code="78", parent_id="wallet", limits=()),
        update("spare", code=None, name="renamed", limits=(Limit("EUR", -1, 1),)),
        c.SetAccountState(**write(), account_id="child", state=AccountState.CLOSED),
        c.SetAccountState(**write(), account_id="spare", state=AccountState.FROZEN),
        c.UpdateEntity(**write(), fields=frozenset({"name"}), name="renamed"),
        open_account("second", parent_id="wallet"),
        c.CreateCategory(**write(key="h"), category_id="rent", name="Rent", metadata=None),
        c.UpdateCategory(**write(), category_id="rent", fields=frozenset({"name"}), name="Office rent"),
        c.CategorizeTransaction(**write(key="i"), transaction_id=third, category_id="rent"),
        c.ArchiveCategory(**write(), category_id="rent"),
        c.CreateCategory(**write(key="j"), category_id="rent-2", name="Office rent", metadata=None),
        c.AdvanceReconciliation(
            **write(key="k"), account_id="cash", currency="USD", from_revision=0, stage_no=7, action=1, detail="{}"
        ),
    ]  # fmt: skip


def world() -> Book:
    """A book with something in all its tables."""
    book = book_of(account(1, "cash"), account(2, "wallet", AccountType.LIABILITY), account(3, "spare", code="33"))
    book.open_children.update({1: 0, 2: 0, 3: 0})
    return book


def test_all_of_them_are_applied_when_nothing_fails() -> None:
    book = world()
    commands = every_kind(book)
    before = state(book)
    outcomes = run(book, *commands, atomic=True)
    assert all(isinstance(one, Applied) for one in outcomes), outcomes
    unchanged = {name for name, value in state(book).items() if value == before[name]}
    # What is read for one check and never written stays as it is.
    assert unchanged == {"now", "due", "heights", "frozen", "sealed", "peaks", "_undo"}, (
        "every other is changed, and taken back below"
    )


@pytest.mark.parametrize("count", range(20))
def test_all_or_none_taken_back_leaves_the_book_as_it_was(count: int) -> None:
    """Without a key and with a malformed last command nothing is recorded of the failure either."""
    book = world()
    commands = [replace(one, key=None) for one in every_kind(book)[: count + 1]]
    before = state(book)
    failing = c.ClearTransaction(**write(), transaction_id="txn_nobody")
    outcomes = run(book, *commands, failing, atomic=True)
    assert all(isinstance(one, Refused) for one in outcomes)
    assert reason(outcomes[-1]) is Reason.TRANSACTION_NOT_FOUND
    assert {reason(one) for one in outcomes[:-1]} == {Reason.BATCH_ABORTED}
    after = state(book)
    # Which request created an account is asked for accounts that exist only.
    for one in (before, after):
        del one["creations"]
    assert after == before


def test_all_or_none_taken_back_forgets_which_request_made_an_account() -> None:
    book = world()
    run(book, open_account("child"), c.ClearTransaction(**write(), transaction_id="txn_nobody"), atomic=True)
    assert book.creations == {}


def test_of_a_failure_only_the_refusals_are_recorded() -> None:
    book = world()
    before = state(book)
    outcomes = run(book, create("a"), create("b", credit="nobody"), create("c"), atomic=True)
    assert [reason(one) for one in outcomes] == [
        Reason.BATCH_ABORTED, Reason.ACCOUNT_NOT_FOUND, Reason.BATCH_ABORTED,
    ]  # fmt: skip
    assert [event.kind for event in book.events] == [EventKind.WRITE_REFUSED] * 3
    assert [event.sequence for event in book.events] == [1001, 1002, 1003]
    after = state(book)
    for name in ("events", "keys", "sequence"):
        del before[name], after[name]
    assert after == before
    again = run(book, create("a"))
    assert reason(again[0]) is Reason.BATCH_ABORTED
    assert isinstance(again[0], Refused)
    assert again[0].replayed


def test_after_a_failure_the_next_command_begins_where_the_batch_did() -> None:
    book = world()
    run(book, *[replace(one, key=None) for one in every_kind(book)[:3]], create("x", credit="nobody"), atomic=True)
    book.events.clear()
    sequence, head = book.sequence, book.heads[1, "USD"]
    [outcome] = run(book, create("next", 7))
    assert isinstance(outcome, Applied)
    assert outcome.sequence == sequence + 1
    assert book.heads[1, "USD"].number == head.number + 1
    assert book.heads[1, "USD"].debits_posted == head.debits_posted + 7


@pytest.mark.parametrize("status", [Status.PENDING, Status.CLEARED, Status.POSTED])
def test_trying_out_leaves_no_trace(status: Status) -> None:
    book = world()
    run(book, create("earlier", 5))
    before = state(book)
    [outcome] = run(book, create("tried", 3, status=status, validate_only=True))
    assert isinstance(outcome, Applied)
    assert outcome.sequence == 0
    assert outcome.balances[0].number == 2
    assert state(book) == before
    [refused] = run(book, create("tried", 3, credit="nobody", validate_only=True))
    assert reason(refused) is Reason.ACCOUNT_NOT_FOUND
    assert state(book) == before


@pytest.mark.parametrize("others", [0, 1])
def test_trying_out_in_an_atomic_batch_leaves_no_trace(others: int) -> None:
    book = world()
    real = [create(f"real-{number}", 5) for number in range(others)]
    outcomes = run(book, create("tried", 3, validate_only=True), *real, atomic=True)
    assert all(isinstance(one, Applied) for one in outcomes)
    assert [event.idempotency_key for event in book.events] == [one.key for one in real]


def test_a_total_may_have_38_digits_and_no_more() -> None:
    book = book_of()
    [full] = run(book, create("full", MAX_MINOR_UNITS))
    assert isinstance(full, Applied)
    assert book.heads[1, "USD"].debits_posted == MAX_MINOR_UNITS
    before = state(book)
    [over] = run(book, replace(create("over"), key=None))
    assert reason(over) is Reason.AMOUNT_OVERFLOW
    assert isinstance(over, Refused)
    assert over.error.metadata == {"account_id": "cash", "currency": "USD"}
    assert state(book) == before
    # The other side has room.
    [back] = run(book, create("back", MAX_MINOR_UNITS, debit="wallet", credit="cash"))
    assert isinstance(back, Applied)
    assert back.balances[1].totals == (MAX_MINOR_UNITS, MAX_MINOR_UNITS, 0, 0)


def test_a_pending_total_is_bounded_as_well_and_can_always_be_released() -> None:
    book = book_of()
    text = held(book, MAX_MINOR_UNITS)
    [over] = run(book, create("over", status=Status.PENDING))
    assert reason(over) is Reason.AMOUNT_OVERFLOW
    [posted] = run(book, create("other", MAX_MINOR_UNITS))
    assert isinstance(posted, Applied), "posted and pending are totals of their own"
    [settled] = run(book, c.ApproveTransactions(**write(), approvals=(c.Approval(text, None, None, 0),)))
    assert reason(settled) is Reason.AMOUNT_OVERFLOW
    [voided] = run(book, c.VoidTransaction(**write(), transaction_id=text))
    assert isinstance(voided, Applied)
    assert book.heads[1, "USD"][:4] == (MAX_MINOR_UNITS, 0, 0, 0)


def test_an_overflow_within_one_transaction_is_seen() -> None:
    book = book_of()
    postings = tuple(
        c.NewPosting(one, side, "USD", MAX_MINOR_UNITS) for one, side in (("cash", DEBIT), ("wallet", CREDIT)) * 2
    )
    [outcome] = run(book, replace(create("twice"), postings=postings))
    assert reason(outcome) is Reason.AMOUNT_OVERFLOW
    assert book.heads == {}


@pytest.mark.parametrize("total", [NARROW - 1, NARROW])
@pytest.mark.parametrize("amount", [1, 2**62])
def test_rows_are_wide_from_the_first_number_beyond_63_bits(total: int, amount: int) -> None:
    book = book_of()
    book.heads[1, "USD"] = Head(total - amount, 0, 0, 0, 1, NOW)
    [outcome] = run(book, create("a", amount))
    assert isinstance(outcome, Applied)
    row = book.entries[0]
    numbers = (amount, total, 0, 0, 0)
    assert (row[8:13], row[15]) == ((numbers, None) if total < NARROW else ((0,) * 5, numbers))
    other = book.entries[1]
    assert (other[8:13], other[15]) == ((amount, 0, amount, 0, 0), None)


@pytest.mark.parametrize("place", range(4))
def test_any_one_of_the_totals_makes_a_row_wide(place: int) -> None:
    book = book_of()
    totals = [0, 0, 0, 0]
    totals[place] = NARROW
    book.heads[1, "USD"] = Head(*totals, 1, NOW)
    [outcome] = run(book, create("a"))
    assert isinstance(outcome, Applied)
    assert book.entries[0][8:13] == (0,) * 5
    assert book.entries[0][15] is not None
    assert book.entries[0][15][1 + place] >= NARROW


def chain(length: int) -> list[Account]:
    """Accounts, each below the one before."""
    made: list[Account] = []
    for number in range(1, length + 1):
        above = made[-1] if made else None
        made.append(
            account(
                number, f"depth-{number}", parent_no=above.account_no if above else None,
                parent_id=above.account_id if above else None,
            )
        )  # fmt: skip
    return made


def test_the_chart_may_be_32_deep() -> None:
    book = book_of(*chain(MAX_TREE_DEPTH - 1))
    [last, beyond] = run(
        book, open_account("last", parent_id=f"depth-{MAX_TREE_DEPTH - 1}"), open_account("beyond", parent_id="last")
    )
    assert isinstance(last, Applied)
    assert reason(beyond) is Reason.INVALID_PARENT


def test_moving_an_account_keeps_to_the_depth() -> None:
    book = book_of(*chain(MAX_TREE_DEPTH), account(100, "single"))
    [allowed] = run(book, update("single", parent_id=f"depth-{MAX_TREE_DEPTH - 1}"))
    assert isinstance(allowed, Applied)
    [refused] = run(book, update("single", parent_id=f"depth-{MAX_TREE_DEPTH}"))
    assert reason(refused) is Reason.INVALID_PARENT


def test_moving_a_subtree_keeps_to_the_depth() -> None:
    tree = [account(100, "top"), account(101, "below", parent_no=100, parent_id="top")]
    book = book_of(*chain(MAX_TREE_DEPTH - 1), *tree, heights={100: 1})
    [refused] = run(book, update("top", parent_id=f"depth-{MAX_TREE_DEPTH - 1}"))
    assert reason(refused) is Reason.INVALID_PARENT
    [allowed] = run(book, update("top", parent_id=f"depth-{MAX_TREE_DEPTH - 2}"))
    assert isinstance(allowed, Applied)


@pytest.mark.parametrize("below", [1, 2, 5])
def test_no_account_comes_below_itself(below: int) -> None:
    book = book_of(*chain(5))
    [outcome] = run(book, update("depth-1", parent_id=f"depth-{below}"))
    assert reason(outcome) is Reason.INVALID_PARENT
    [sideways] = run(book, update("depth-5", parent_id="depth-1"))
    assert isinstance(sideways, Applied)
    assert sideways.account is not None
    assert sideways.account.parent_no == 1


def test_a_cycle_made_in_two_steps_of_one_batch() -> None:
    book = book_of(account(1, "one"), account(2, "two"))
    first, second = run(book, update("one", parent_id="two"), update("two", parent_id="one"))
    assert isinstance(first, Applied)
    assert reason(second) is Reason.INVALID_PARENT


def limited(floor: int | None, ceiling: int | None) -> Book:
    """A wallet within these bounds."""
    limits = (Limit("USD", floor, ceiling),)
    return book_of(account(1, "cash"), account(2, "wallet", AccountType.LIABILITY, limits=limits))


@pytest.mark.parametrize("floor", [-5, 0, 5])
def test_a_floor_is_reached_and_not_passed(floor: int) -> None:
    book = limited(floor, None)
    book.heads[2, "USD"] = Head(0, 10, 0, 0, 1, NOW)
    down, further = run(
        book,
        create("down", 10 - floor, debit="wallet", credit="cash"),
        create("further", 1, debit="wallet", credit="cash"),
    )
    assert isinstance(down, Applied)
    assert reason(further) is Reason.INSUFFICIENT_BALANCE
    assert isinstance(further, Refused)
    assert further.error.metadata == {
        "account_id": "wallet", "currency": "USD", "available": str(floor - 1), "floor": str(floor),
    }  # fmt: skip


def test_what_is_pending_counts_against_the_floor_and_not_for_it() -> None:
    book = limited(0, None)
    pending_in, out = run(
        book,
        create("in", 10, status=Status.PENDING),
        create("out", 1, debit="wallet", credit="cash"),
    )
    assert isinstance(pending_in, Applied)
    assert reason(out) is Reason.INSUFFICIENT_BALANCE
    book = limited(0, None)
    book.heads[2, "USD"] = Head(0, 10, 0, 0, 1, NOW)
    held_, more = run(
        book,
        create("held", 10, debit="wallet", credit="cash", status=Status.PENDING),
        create("more", 1, debit="wallet", credit="cash", status=Status.PENDING),
    )
    assert isinstance(held_, Applied)
    assert reason(more) is Reason.INSUFFICIENT_BALANCE


def test_a_ceiling_is_reached_and_not_passed_pending_included() -> None:
    book = limited(None, 10)
    up, pending, further = run(book, create("up", 6), create("p", 4, status=Status.PENDING), create("further", 1))
    assert isinstance(up, Applied)
    assert isinstance(pending, Applied)
    assert reason(further) is Reason.CEILING_EXCEEDED
    assert isinstance(further, Refused)
    assert further.error.metadata["balance"] == "11"


def test_limits_hold_after_the_whole_transaction_not_leg_by_leg() -> None:
    book = limited(0, None)
    postings = (
        c.NewPosting("wallet", DEBIT, "USD", 5), c.NewPosting("wallet", CREDIT, "USD", 5),
    )  # fmt: skip
    [outcome] = run(book, replace(create("through"), postings=postings))
    assert isinstance(outcome, Applied)
    assert book.heads[2, "USD"][:4] == (5, 5, 0, 0)


@pytest.mark.parametrize(("floor", "is_kept"), [(10, True), (11, False)])
def test_a_limit_must_hold_from_its_first_moment(floor: int, is_kept: bool) -> None:
    book = book_of()
    book.heads[2, "USD"] = Head(0, 10, 0, 0, 1, NOW)
    [outcome] = run(book, update("wallet", limits=(Limit("USD", floor, None),)))
    if is_kept:
        assert isinstance(outcome, Applied)
    else:
        assert reason(outcome) is Reason.LIMIT_ALREADY_BROKEN


@pytest.mark.parametrize(("seconds", "is_refused"), [(-1, True), (0, True), (1, False)])
def test_a_deadline_lies_after_the_moment_of_recording(seconds: int, is_refused: bool) -> None:
    book = book_of()
    expire_time = NOW + timedelta(seconds=seconds)
    [outcome] = run(book, create("a", status=Status.PENDING, expire_time=expire_time))
    if is_refused:
        assert reason(outcome) is Reason.EXPIRE_TIME_PASSED
    else:
        assert isinstance(outcome, Applied)


def test_reversals_reach_what_is_left_and_not_more() -> None:
    book = book_of()
    [posted] = run(book, create("a", 10))
    assert isinstance(posted, Applied)
    book.transactions[posted.sequence] = posted.transactions[0]
    text = transaction_id(1, posted.sequence, book.entity.id_key)

    def reversal(amount: int | None) -> Outcome:
        return run(book, c.ReverseTransaction(**write(), transaction_id=text, currency="USD", amount=amount))[0]

    assert isinstance(reversal(4), Applied)
    assert reason(reversal(7)) is Reason.REVERSAL_EXCEEDS_ORIGINAL
    assert isinstance(reversal(None), Applied)
    assert book.heads[1, "USD"][:4] == (10, 10, 0, 0)
    nothing_left = reversal(None)
    assert reason(nothing_left) is Reason.REVERSAL_EXCEEDS_ORIGINAL
    assert isinstance(nothing_left, Refused)
    assert nothing_left.error.metadata["remaining"] == "0"
