"""The story of a reconciliation over gRPC, what is refused on the way, and who is in the way of whom."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from ledger.v1 import reconciliation_pb2 as messages
from ledger.v1 import reconciliation_service_pb2 as pb
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import ASSET, CLEARED, EXPENSE, PENDING, POSTED, REVENUE, new_account, new_entity, transfer
from tests.helpers.camt_writer import Booked, file_of, statement
from tests.helpers.processes import serve
from tests.helpers.reconciling import Books, check_equation, decimal, noon, parts_of
from tests.helpers.rpc import Refused, connect, refusal
from tests.helpers.servers import TOKEN, assert_sound, cloned, serving
from tests.helpers.sql import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ledger_service.storage.embedded import EmbeddedPostgres
    from tests.helpers.rpc import Client

FIRST = date(2026, 3, 1)
LAST = date(2026, 3, 10)
FEE = messages.ChargeTemplate(name="fee", pattern="fee", sign=-1, account_id="costs", description="Fee of the bank")
OPEN, IN_MATCH = messages.ITEM_STATE_OPEN, messages.ITEM_STATE_CONFIRMED
PROPOSED, CONFIRMED = messages.MATCH_STATE_PROPOSED, messages.MATCH_STATE_CONFIRMED
UNDONE = messages.MATCH_STATE_UNDONE
REFERENCE = messages.MATCH_RULE_KIND_REFERENCE


@pytest.fixture(scope="module")
async def client(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Client]:
    """Of one service for all: each test has an entity of its own, and its workshop starts once."""
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        yield service.client


def day(number: int) -> date:
    """Of March 2026."""
    return date(2026, 3, number)


async def books_of(client: Client, **account: Any) -> Books:
    """An entity with a bank account and what stands against it."""
    entity_id = await new_entity(client)
    await new_account(client, entity_id, "bank", ASSET, **account)
    await new_account(client, entity_id, "sales", REVENUE)
    await new_account(client, entity_id, "costs", EXPENSE)
    return Books(client, entity_id, "bank")


async def record(books: Books, amount: int, when: date, status: Any = POSTED, **fields: Any) -> str:
    """A transaction that changes the account by so many cents; gives its id."""
    debit, credit = ("bank", "sales") if amount > 0 else ("costs", "bank")
    request = transfer(
        books.entity_id, debit, credit, decimal(abs(amount)), currency=books.currency, status=status,
        effective_time=noon(when), **fields,
    )  # fmt: skip
    return str((await books.client.transactions.CreateTransaction(request)).transaction.id)


def march(*lines: Booked, opening: int = 50_000, off: int = 0, **fields: Any) -> bytes:
    """A statement of the first ten days of March; `off` is by how much its closing balance is wrong."""
    closing = opening + sum(line.amount for line in lines) + off
    return file_of(statement(lines, opening=(FIRST, opening), closing=(LAST, closing), **fields))


LINES = (
    Booked(day(3), 100_000, "INV-1", "Invoice 1", "ACME GmbH"),
    Booked(day(5), -25_000, "PAY-7", "Rent", "Landlord"),
    Booked(day(6), 3_300, "", "Refund of something", "Unknown"),
    Booked(day(10), -250, "", "Monthly fee", ""),
)


async def void(books: Books, transaction_id: str) -> Any:
    return await books.client.transactions.VoidTransaction(
        transactions.VoidTransactionRequest(
            entity_id=books.entity_id, transaction_id=transaction_id, idempotency_key=f"void {transaction_id}"
        )
    )


async def status_of(books: Books, transaction_id: str) -> Any:
    request = transactions.GetTransactionRequest(entity_id=books.entity_id, transaction_id=transaction_id)
    return (await books.client.transactions.GetTransaction(request)).transaction.status


class Story:
    """The account of LINES, with its statement taken in."""

    def __init__(self, books: Books) -> None:
        self.books = books

    async def tell(self) -> None:
        """Record what the ledger knows, set the profile, bring the statement."""
        books = self.books
        await record(books, 50_000, date(2026, 2, 20))
        self.invoice = await record(books, 100_000, day(3), reference="INV-1", counterparty="Acme")
        self.rent = await record(books, -25_000, day(4), PENDING, reference="PAY-7")
        self.late = await record(books, -8_000, day(9), reference="PAY-8")
        await books.profile(messages.ReconciliationProfile(charges=[FEE]), "charges")
        self.imported = await books.send(march(*LINES), file_name="march.xml", idempotency_key="march")


async def test_the_whole_story(client: Client) -> None:
    books = await books_of(client)
    story = Story(books)
    await story.tell()
    check_import(story.imported)
    await check_run(story)
    await check_confirmation(story)
    closed = await check_closing(story)
    await check_frozen(story, closed)
    await check_reopening(story, closed)


def check_import(imported: pb.ImportStatementResponse) -> None:
    (only,) = imported.statements
    assert (imported.lines, imported.known_lines, imported.revision, imported.replayed) == (4, 0, 2, False)
    assert (only.number, only.bank_number, only.bank_account, only.file_name, only.format) == (
        1, "1", "DE00", "march.xml", "camt.053.001.08",
    )  # fmt: skip
    assert (only.opening_balance, only.opening_date) == ("500.00", "2026-03-01")
    assert (only.closing_balance, only.closing_date) == ("1280.50", "2026-03-10")
    assert (only.lines, only.known_lines, only.sum, list(only.contradictions)) == (4, 0, "780.50", [])


async def check_run(story: Story) -> None:
    books = story.books
    assert [(one.number, one.amount, one.state) for one in await books.lines()] == [
        (1, "1000.00", OPEN), (2, "-250.00", OPEN), (3, "33.00", OPEN), (4, "-2.50", OPEN),
    ]  # fmt: skip
    run = await books.call("RunMatching", idempotency_key="run")
    assert (run.open_lines, run.open_transactions, run.write_offs, run.cleared_transactions) == (1, 1, 1, 1)
    assert (run.undone_matches, run.revision, run.replayed) == (0, 3, False)
    assert [(one.rule, one.matches, one.proposed, one.lines, one.transactions, one.amount) for one in run.matched] == [
        (REFERENCE, 2, 0, 2, 2, "1250.00"), (messages.MATCH_RULE_KIND_CHARGE, 1, 1, 1, 0, "2.50"),
    ]  # fmt: skip
    assert await status_of(books, story.rent) == CLEARED
    found = {(one.kind, tuple(one.line_numbers), tuple(one.transaction_ids)) for one in await books.findings()}
    assert found == {
        (messages.FINDING_KIND_CHARGE, (4,), ()),
        (messages.FINDING_KIND_MISSING_IN_LEDGER, (3,), ()),
        (messages.FINDING_KIND_IN_TRANSIT, (), (story.late,)),
    }
    first, second, charge = await books.matches()
    assert (first.state, list(first.line_numbers), list(first.transaction_ids)) == (CONFIRMED, [1], [story.invoice])
    assert (second.state, list(second.line_numbers), list(second.transaction_ids)) == (CONFIRMED, [2], [story.rent])
    assert (charge.state, list(charge.line_numbers), list(charge.transaction_ids)) == (PROPOSED, [4], [])
    assert (charge.write_off.account_id, charge.write_off.amount, charge.write_off.transaction_id) == (
        "costs", "-2.50", "",
    )  # fmt: skip
    report = await books.report()
    check_equation(report, await books.ledger_balance(LAST))
    assert (report.date, report.equation.statement_balance, report.equation.ledger_balance) == (
        "2026-03-10", "1280.50", "1170.00",
    )  # fmt: skip
    assert report.equation.write_offs_proposed == "2.50"
    again = await books.call("RunMatching", idempotency_key="run")
    assert (again.replayed, again.revision, list(again.matched)) == (True, 3, list(run.matched))


async def check_confirmation(story: Story) -> None:
    books = story.books
    blocked = await refusal(books.call("CloseReconciliation", date="2026-03-10"))
    assert (blocked.reason, blocked.metadata["obstacle"]) == ("RECONCILIATION_UNFINISHED", "proposed_matches")
    nothing = await books.call("ConfirmMatches")
    assert (nothing.confirmed, nothing.write_offs) == (0, 0)
    done = await books.call("ConfirmMatches", with_write_offs=True, note="as every month")
    assert (done.confirmed, done.write_offs, list(done.failures)) == (1, 1, [])
    charge = (await books.matches())[2]
    assert (charge.state, charge.difference, charge.note) == (CONFIRMED, "0.00", "as every month")
    request = transactions.GetTransactionRequest(
        entity_id=books.entity_id, transaction_id=charge.write_off.transaction_id
    )
    booked = (await books.client.transactions.GetTransaction(request)).transaction
    assert (booked.status, booked.description) == (POSTED, "Fee of the bank")
    assert [(leg.account_id, leg.amount.amount) for leg in booked.postings] == [("bank", "2.50"), ("costs", "2.50")]
    assert booked.effective_time.ToDatetime().date() == LAST
    report = await books.report(LAST)
    check_equation(report, await books.ledger_balance(LAST))
    equation = report.equation
    assert (equation.statement_balance, equation.ledger_balance) == ("1280.50", "1167.50")
    assert (equation.outstanding_payments, equation.receipts_not_recorded) == ("-80.00", "-33.00")
    assert [(one.line_number, one.transaction_id, one.finding) for one in report.open_items] == [
        (3, "", messages.FINDING_KIND_MISSING_IN_LEDGER), (0, story.late, messages.FINDING_KIND_IN_TRANSIT),
    ]  # fmt: skip


async def check_closing(story: Story) -> messages.Reconciliation:
    books = story.books
    answer = await books.call("CloseReconciliation", date="2026-03-10", note="March", idempotency_key="close")
    closed: messages.Reconciliation = answer.reconciliation
    assert (closed.is_closed, closed.equation.ledger_balance, len(closed.open_items)) == (True, "1167.50", 2)
    for asked in (LAST, None):
        assert await books.report(asked) == closed
    listed = (await books.call("ListReconciliations", currency="")).reconciliations
    assert [(one.is_closed, one.date, one.ledger_balance, one.is_reopened) for one in listed] == [
        (True, "2026-03-10", "1167.50", False)
    ]
    export = books.client.reconciliations.ExportReconciliation(
        pb.ExportReconciliationRequest(
            entity_id=books.entity_id, account_id="bank", date="2026-03-10", format=pb.RECONCILIATION_FORMAT_JSON
        )
    )
    document = b"".join([part.chunk async for part in export])
    assert b'"1167.50"' in document
    return closed


async def check_frozen(story: Story, closed: messages.Reconciliation) -> None:
    books = story.books
    refused = await refusal(void(books, story.rent))
    assert (refused.reason, refused.code) == ("TRANSACTION_RECONCILED", grpc.StatusCode.FAILED_PRECONDITION)
    edit = transactions.EditTransactionRequest(
        entity_id=books.entity_id, transaction_id=story.rent, description="other", idempotency_key="edit"
    )
    assert (await refusal(books.client.transactions.EditTransaction(edit))).reason == "TRANSACTION_RECONCILED"
    assert (await refusal(books.call("UndoMatches", match_numbers=[1]))).reason == "RECONCILIATION_CLOSED"
    assert (await refusal(books.call("CloseReconciliation", date="2026-03-10"))).reason == "RECONCILIATION_CLOSED"
    assert (await refusal(books.call("StartReconciliation", date="2026-03-01"))).reason == "RECONCILIATION_CLOSED"
    more = march(*LINES, Booked(day(8), 1_000, "", "after all"))
    assert (await refusal(books.send(more))).reason == "RECONCILIATION_CLOSED"
    # What was open is carried over, and no more than that.
    assert [one.number for one in await books.lines()] == [3]
    assert [one.transaction_id for one in await books.items()] == [story.late]
    # A transaction of a closed day: the day stays as it was closed.
    await record(books, 700, day(7))
    assert await books.report(LAST) == closed
    later = await books.report(day(11))
    check_equation(later, await books.ledger_balance(day(11)))
    assert later.first_date == "2026-03-11"


async def check_reopening(story: Story, closed: messages.Reconciliation) -> None:
    books = story.books
    assert (await refusal(books.call("ReopenReconciliation", date="2026-03-09"))).reason == "RECONCILIATION_NOT_FOUND"
    await books.call("ReopenReconciliation", date="2026-03-10", note="forgot something")
    again = await books.call("CloseReconciliation", date="2026-03-10", note="March", idempotency_key="close")
    assert (again.replayed, again.reconciliation) == (True, closed)
    report = await books.report(LAST)
    assert not report.is_closed
    check_equation(report, await books.ledger_balance(LAST))
    (listed,) = (await books.call("ListReconciliations", currency="")).reconciliations
    assert listed.is_reopened
    first = await refusal(void(books, story.rent))
    # The refusal under that key is for ever.
    assert first.reason == "TRANSACTION_RECONCILED"
    await books.client.transactions.VoidTransaction(
        transactions.VoidTransactionRequest(
            entity_id=books.entity_id, transaction_id=story.rent, idempotency_key="void again"
        )
    )
    report = await books.report(LAST)
    check_equation(report, await books.ledger_balance(LAST))
    assert {one.line_number for one in report.open_items} == {0, 2, 3}
    run = await books.call("RunMatching")
    assert run.undone_matches == 1
    assert [one.state for one in await books.matches()][:3] == [CONFIRMED, UNDONE, CONFIRMED]


# What is refused.


async def test_files_that_do_not_belong_here(client: Client) -> None:
    books = await books_of(client)
    dollars = march(*LINES, currency="USD")
    refused = await refusal(books.send(dollars))
    assert (refused.reason, "USD" in refused.message) == ("STATEMENT_MISMATCH", True)
    two = file_of(statement(LINES[:1], account="DE00"), statement(LINES[1:], account="DE11"))
    refused = await refusal(books.send(two))
    assert (refused.reason, "DE00, DE11" in refused.message) == ("STATEMENT_MISMATCH", True)
    both = file_of(statement(LINES[:1]), statement(LINES[1:], currency="USD"))
    assert (await refusal(books.send(both, currency=""))).reason == "STATEMENT_MISMATCH"
    refused = await refusal(books.send(march(*LINES)[:-40]))
    assert (refused.reason, refused.metadata["field"]) == ("INVALID_ARGUMENT", "file")
    assert (await refusal(books.call("ListStatements"))).reason == "RECONCILIATION_NOT_FOUND"
    # In another currency the account has another reconciliation; then a caller has to say which one is meant.
    await books.send(march(*LINES))
    await books.send(dollars, currency="USD")
    refused = await refusal(books.call("RunMatching", currency=""))
    assert (refused.reason, refused.metadata["currency"]) == ("RECONCILIATION_NOT_FOUND", "EUR,USD")


async def test_a_file_of_another_bank_account_is_refused(client: Client) -> None:
    books = await books_of(client)
    await books.send(file_of(statement([Booked(day(3), 100)], account="DE02500105170137075030")))
    renumbered = "DE88100900001234567892"
    other = file_of(statement([Booked(day(5), 100)], account=renumbered))
    refused = await refusal(books.send(other))
    assert (refused.code.name, refused.reason) == ("INVALID_ARGUMENT", "STATEMENT_MISMATCH")
    # The number within the IBAN is the same account.
    assert (await books.send(file_of(statement([Booked(day(5), 200)], account="0137075030")))).lines == 1
    # And so is another one, if the caller says so; then it must be that one.
    said = {"bank_account": "DE88 1009 0000 1234 5678 92"}
    wrong = file_of(statement([Booked(day(6), 300)], account="DE02500105170137075030"))
    assert (await refusal(books.send(wrong, **said))).reason == "STATEMENT_MISMATCH"
    assert (await books.send(other, **said)).lines == 1
    assert (await books.send(file_of(statement([Booked(day(7), 400)], account=renumbered)))).lines == 1


async def test_statements_of_one_day_that_go_on_bring_all_lines(client: Client) -> None:
    books = await books_of(client)
    coffee = Booked(day(4), -500, "", "coffee")
    days = {"morning": (2000, 1500), "noon": (1500, 1000), "evening": (1000, 500)}
    files = {
        name: file_of(statement([coffee], opening=(day(4), opening), closing=(day(4), closing), number=name))
        for name, (opening, closing) in days.items()
    }
    for name in ("morning", "noon", "evening"):
        await books.send(files[name], file_name=name)
    assert [one.amount for one in await books.lines()] == ["-5.00"] * 3
    report = await books.report(day(4))
    assert (report.equation.statement_balance, report.equation.statement_gap) == ("5.00", "0.00")
    check_equation(report, await books.ledger_balance(day(4)))


async def test_lines_that_overlap_come_in_once(client: Client) -> None:
    books = await books_of(client)
    twins = (Booked(day(4), 500, "", "coffee"), Booked(day(4), 500, "", "coffee"))
    first = await books.send(march(LINES[0], twins[0]))
    assert (first.lines, first.known_lines) == (2, 0)
    # The same again, as a file and as lines of another file; of two lines alike the second one is new.
    again = await books.send(march(LINES[0], twins[0]), file_name="other name")
    assert (again.replayed, again.lines, again.revision) == (True, 2, first.revision)
    other = await books.send(march(LINES[0], *twins, *LINES[1:], number="2"))
    assert (other.lines, other.known_lines, other.replayed) == (4, 2, False)
    only_known = await books.send(march(*twins, number="3"))
    assert (only_known.lines, only_known.known_lines) == (0, 2)
    assert [one.amount for one in await books.lines()] == [
        "1000.00", "5.00", "5.00", "-250.00", "33.00", "-2.50",
    ]  # fmt: skip
    # Before the beginning there is nothing to match with.
    early = file_of(statement([Booked(date(2026, 2, 1), 100)]))
    refused = await refusal(books.send(early))
    assert (refused.reason, refused.metadata["date"]) == ("RECONCILIATION_CLOSED", "2026-03-01")


async def test_contradictions_are_told_and_show(client: Client) -> None:
    books = await books_of(client)
    answer = await books.send(march(*LINES, off=500))
    (only,) = answer.statements
    assert len(only.contradictions) == 1
    assert "1285.50" in only.contradictions[0]
    report = await books.report(LAST)
    check_equation(report)
    assert (report.equation.statement_balance, report.equation.statement_gap) == ("1285.50", "-5.00")
    refused = await refusal(books.call("CloseReconciliation", date="2026-03-10"))
    assert refused.metadata["obstacle"] == "statement_gap"
    closed = await books.call("CloseReconciliation", date="2026-03-10", accept_differences=True)
    after = await books.report(day(12))
    check_equation(after)
    opening = closed.reconciliation.equation.opening_difference
    assert (opening, after.equation.opening_difference) == ("-500.00", "-505.00")


async def test_members_that_are_not_there(client: Client) -> None:
    books = await books_of(client)
    story = Story(books)
    await story.tell()
    elsewhere = await books_of(client)
    foreign = await record(elsewhere, 100, day(3))
    for fields, reason in (
        ({"line_numbers": [99, 3]}, "ITEM_NOT_OPEN"),
        ({"line_numbers": [3], "transaction_ids": [foreign]}, "TRANSACTION_NOT_FOUND"),
        ({"line_numbers": [3]}, "INVALID_ARGUMENT"),
        ({"line_numbers": [3, 3]}, "INVALID_ARGUMENT"),
        ({"line_numbers": [0, 3]}, "INVALID_ARGUMENT"),
        ({"line_numbers": [3], "write_off_account_id": "nothing", "write_off_description": "x"}, "ACCOUNT_NOT_FOUND"),
    ):
        assert (await refusal(books.call("CreateMatch", **fields))).reason == reason, fields
    for method in ("ConfirmMatches", "RejectMatches", "UndoMatches"):
        assert (await refusal(books.call(method, match_numbers=[7]))).reason == "MATCH_NOT_FOUND"
    assert not await books.matches()


async def test_what_is_ambiguous_is_shown_and_matched_by_hand(client: Client) -> None:
    books = await books_of(client)
    ids = [await record(books, 7_700, day(4)) for _ in range(2)]
    await books.send(march(Booked(day(4), 7_700, "", "one of the two"), opening=0))
    await books.call("RunMatching")
    assert not await books.matches()
    (ambiguous,) = [one for one in await books.findings() if one.kind == messages.FINDING_KIND_AMBIGUOUS]
    assert {tuple(pair.transaction_ids) for option in ambiguous.options for pair in option.pairs} == {
        (ids[0],), (ids[1],),
    }  # fmt: skip
    made = await books.call("CreateMatch", line_numbers=[1], transaction_ids=[ids[1]], note="told on the phone")
    assert (made.match.state, made.match.difference, made.match.note) == (CONFIRMED, "0.00", "told on the phone")
    report = await books.report(LAST)
    check_equation(report)
    assert [one.transaction_id for one in report.open_items] == [ids[0]]


async def test_a_rejected_pair_never_comes_back(client: Client) -> None:
    books = await books_of(client)
    await record(books, 7_700, day(4))
    await books.send(march(Booked(day(4), 7_700, "", "alike"), opening=0))
    await books.call("RunMatching")
    (match,) = await books.matches()
    assert match.state == PROPOSED
    await books.call("RejectMatches", match_numbers=[match.number])
    await books.call("RunMatching")
    # Nor after a closing, nor after a new beginning.
    await books.call("CloseReconciliation", date="2026-03-10")
    await books.call("RunMatching")
    await books.call("ReopenReconciliation", date="2026-03-10")
    await books.call("StartReconciliation", date="2026-03-02")
    await books.call("RunMatching")
    assert [one.state for one in await books.matches()] == [messages.MATCH_STATE_REJECTED]
    assert [one.number for one in await books.lines(state=OPEN)] == [1]


async def test_members_of_a_broken_match_are_free(client: Client) -> None:
    """Between the voiding of a transaction and the next run its line may be matched again, and closed."""
    books = await books_of(client)
    gone = await record(books, 7_700, day(4), PENDING)
    await books.send(march(Booked(day(4), 7_700, "", "alike"), opening=0))
    await books.profile(messages.ReconciliationProfile(), "clears_transactions")
    first = await books.call("CreateMatch", line_numbers=[1], transaction_ids=[gone])
    await void(books, gone)
    other = await record(books, 7_700, day(5))
    second = await books.call("CreateMatch", line_numbers=[1], transaction_ids=[other])
    assert [(one.number, one.state) for one in await books.matches()] == [
        (first.match.number, UNDONE), (second.match.number, CONFIRMED),
    ]  # fmt: skip
    await books.call("CloseReconciliation", date="2026-03-10")


async def test_a_new_beginning_has_all_lines_after_it(client: Client) -> None:
    """Also those that an earlier, later beginning had left out: the bank's file does not bring them again."""
    books = await books_of(client)
    await books.send(march(*LINES, opening=0))
    for first, numbers in ((6, [3, 4]), (11, []), (1, [1, 2, 3, 4])):
        await books.call("StartReconciliation", date=day(first).isoformat(), statement_balance="0.00")
        assert [one.number for one in await books.lines()] == numbers
        check_equation(await books.report(day(12)))


# Several at once, and calls that are cut off.


async def test_eight_at_once(client: Client) -> None:
    """Runs, confirmations and matches by hand get in each other's way: all are done or refused, nothing twice."""
    books = await books_of(client)
    amounts = [1_000 + 7 * number for number in range(12)]
    ids = [await record(books, amount, day(4)) for amount in amounts]
    await books.send(march(*(Booked(day(4), amount, "", f"line {amount}") for amount in amounts), opening=0))
    calls = [books.call("RunMatching", idempotency_key=f"run {n}") for n in range(3)]
    calls += [books.call("ConfirmMatches", idempotency_key=f"confirm {n}") for n in range(2)]
    calls += [
        books.call("CreateMatch", line_numbers=[n + 1], transaction_ids=[ids[n]], idempotency_key=f"match {n}")
        for n in range(3)
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        assert not isinstance(answer, BaseException) or isinstance(answer, Refused), answer
        if isinstance(answer, Refused):
            assert answer.reason in ("ITEM_NOT_OPEN", "RECONCILIATION_CHANGED"), answer
    await books.call("RunMatching")
    await books.call("ConfirmMatches")
    held = [one for one in await books.matches() if one.state in (PROPOSED, CONFIRMED)]
    assert sorted(n for one in held for n in one.line_numbers) == list(range(1, 13))
    assert sorted(one for match in held for one in match.transaction_ids) == sorted(ids)
    await books.call("CloseReconciliation", date="2026-03-10")


async def test_one_request_eight_times_at_once(client: Client) -> None:
    books = await books_of(client)
    await record(books, 100_000, day(3), reference="INV-1")
    answers = await asyncio.gather(*(books.send(march(*LINES), idempotency_key="march") for _ in range(8)))
    assert sorted(one.replayed for one in answers) == [False] + [True] * 7
    assert {(one.lines, one.revision) for one in answers} == {(4, 1)}
    assert len(await books.lines()) == 4
    answers = await asyncio.gather(*(books.call("RunMatching", idempotency_key="run") for _ in range(8)))
    assert sorted(one.replayed for one in answers) == [False] + [True] * 7
    assert len(await books.matches()) == 1


async def test_the_same_lines_in_eight_files_at_once(client: Client) -> None:
    books = await books_of(client)
    files = [march(*LINES, number=str(number)) for number in range(8)]
    answers = await asyncio.gather(*map(books.send, files), return_exceptions=True)
    done = [one for one in answers if not isinstance(one, BaseException)]
    assert all(isinstance(one, Refused) and one.reason == "RECONCILIATION_CHANGED"
               for one in answers if isinstance(one, BaseException)), answers  # fmt: skip
    assert sorted(one.lines for one in done)[-2:] in ([0, 4], [4])
    assert sum(one.lines for one in done) == len(await books.lines()) == 4


async def stages(dsn: str) -> list[tuple[int, bool]]:
    """Each stage, and whether it counts."""
    async with connected(dsn) as connection:
        rows = await connection.fetch(
            "SELECT s.stage_no, EXISTS (SELECT FROM ledger.reconciliation_revisions r "
            "WHERE r.entity_no = s.entity_no AND r.stage_no = s.stage_no) AS counts "
            "FROM ledger.reconciliation_stages s ORDER BY s.stage_no"
        )
        return [(row[0], row[1]) for row in rows]


async def test_an_upload_that_is_cancelled_leaves_nothing(database: str) -> None:
    async with serving(database) as service:
        books = await books_of(service.client)
        arrived = asyncio.Event()

        async def half() -> Any:
            header = pb.ImportStatementHeader(
                entity_id=books.entity_id, account_id="bank", currency="EUR", file_name="half"
            )
            parts = [part async for part in parts_of(header, march(*LINES))]
            for part in parts[: len(parts) // 2]:
                yield part
            arrived.set()
            await asyncio.Event().wait()

        call = service.client.reconciliations.ImportStatement(half())
        sending = asyncio.ensure_future(call)
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await stages(database) == []
        assert (await refusal(books.call("ListStatements"))).reason == "RECONCILIATION_NOT_FOUND"
        answer = await books.send(march(*LINES))
        assert (answer.lines, answer.replayed) == (4, False)


async def until_staged(dsn: str, books: Books) -> None:
    """Wait until lines are staged that do not count."""
    async with asyncio.timeout(60):
        async with connected(dsn) as connection:
            while not await connection.fetchval("SELECT count(*) FROM ledger.statement_lines"):
                await asyncio.sleep(0.02)


async def test_killed_between_staging_and_commit(database: str, tmp_path: Path) -> None:
    """What was staged does not count, nobody sees it, the file comes in anew, and a day later it is cleared away."""
    async with serve(tmp_path, database) as server, connect(server.address, TOKEN) as client:
        books = await books_of(client)
        async with connected(database) as connection:
            # Staging writes elsewhere; the committer waits here.
            holding = connection.transaction()
            await holding.start()
            await connection.execute("LOCK TABLE ledger.reconciliation_revisions IN SHARE MODE")
            sending = asyncio.ensure_future(books.send(march(*LINES), idempotency_key="march"))
            await until_staged(database, books)
            await server.kill()
            await holding.rollback()
        with pytest.raises(Refused) as cut:
            await sending
        assert cut.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN)
    left = await stages(database)
    assert [counts for _, counts in left] == [False]
    await assert_sound(database)
    async with serving(database) as service:
        books = Books(service.client, books.entity_id, "bank")
        assert (await refusal(books.call("ListStatements"))).reason == "RECONCILIATION_NOT_FOUND"
        answer = await books.send(march(*LINES), idempotency_key="march")
        assert (answer.lines, answer.replayed, answer.revision) == (4, False, 1)
        assert [one.number for one in await books.lines()] == [1, 2, 3, 4]
        assert sorted(counts for _, counts in await stages(database)) == [False, True]
        async with connected(database) as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(
                "UPDATE ledger.reconciliation_stages SET created_time = created_time - interval '25 hours'"
            )
        await books.call("RunMatching")
        assert [counts for _, counts in await stages(database)] == [True, True]
        async with connected(database) as connection:
            assert await connection.fetchval("SELECT count(*) FROM ledger.statement_lines") == 4


async def test_days_are_those_of_the_entity(client: Client) -> None:
    """Shortly before midnight in New York is the next day in UTC."""
    entity_id = await new_entity(client, time_zone="America/New_York")
    await new_account(client, entity_id, "bank", ASSET)
    await new_account(client, entity_id, "sales", REVENUE)
    books = Books(client, entity_id, "bank")
    late = noon(day(4), "America/New_York")
    late.FromDatetime(late.ToDatetime() + timedelta(hours=11, minutes=59))
    request = transfer(entity_id, "bank", "sales", "5.00", currency="EUR", effective_time=late)
    await client.transactions.CreateTransaction(request)
    await books.call("StartReconciliation", date="2026-03-01", statement_balance="0.00")
    assert [one.date for one in await books.items()] == ["2026-03-04"]
    for number, ledger in ((3, "0.00"), (4, "5.00")):
        report = await books.report(day(number))
        check_equation(report, await books.ledger_balance(day(number), "America/New_York"))
        assert report.equation.ledger_balance == ledger
