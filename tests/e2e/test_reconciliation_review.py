"""Faults that a review of reconciliation has found: each was seen to happen, and must not again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from ledger.v1 import account_service_pb2
from ledger.v1 import reconciliation_pb2 as resources
from ledger.v1 import reconciliation_service_pb2 as pb
from ledger.v1.transaction_service_pb2 import ReverseTransactionRequest
from ledger_service.application.ports import Unavailable
from ledger_service.application.reconciling import writing
from ledger_service.storage.reconciliation import ReconciliationStore
from tests.helpers.builders import (
    ASSET,
    EXPENSE,
    new_account,
    new_entity,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.rpc import Client, Refused, refusal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

Row = tuple[str, str, str]
"""Of a CSV file: day, amount, text."""


def csv(rows: Sequence[Row]) -> bytes:
    """A bank's file without balances."""
    return "".join(["Date,Amount,Description\n", *(f"{','.join(row)}\n" for row in rows)]).encode()


def noon_of(day: str) -> Timestamp:
    """In the middle of a day."""
    return timestamp(datetime.combine(date.fromisoformat(day), time(12), UTC))


@dataclass
class Bank:
    """An entity with an account at a bank, in dollars, that is reconciled."""

    client: Client
    entity: str

    @property
    def place(self) -> dict[str, Any]:
        """The account, in a request."""
        return {"entity_id": self.entity, "account_id": "bank", "currency": "USD"}

    async def post(self, day: str, amount: str, **fields: Any) -> str:
        """A transaction that changes the account; gives its id."""
        sides = ("bank", "equity") if Decimal(amount) > 0 else ("equity", "bank")
        request = transfer(self.entity, *sides, amount.removeprefix("-"), effective_time=noon_of(day), **fields)
        return str((await self.client.transactions.CreateTransaction(request)).transaction.id)

    async def bring(self, content: bytes, **fields: Any) -> pb.ImportStatementResponse:
        """Import a file."""
        header = pb.ImportStatementHeader(**self.place, file_name="statement.csv", **fields)
        parts = [pb.ImportStatementRequest(header=header), pb.ImportStatementRequest(chunk=content)]
        answer: pb.ImportStatementResponse = await self.client.reconciliations.ImportStatement(iter(parts))
        return answer

    async def reverse(self, transaction_id: str) -> None:
        """Take a transaction back."""
        request = ReverseTransactionRequest(
            entity_id=self.entity, transaction_id=transaction_id, idempotency_key=unique("key")
        )
        await self.client.transactions.ReverseTransaction(request)

    async def call(self, method: str, **fields: Any) -> Any:
        """Any unary method."""
        request = getattr(pb, f"{method}Request")(**{**self.place, **fields})
        return await getattr(self.client.reconciliations, method)(request)

    async def report(self, day: str = "") -> Any:
        """The result; its equation adds up."""
        report = (await self.call("GetReconciliation", date=day)).reconciliation
        assert report.equation.adds_up
        return report


@pytest.fixture
async def bank(client: Client) -> Bank:
    entity = await new_entity(client)
    await new_account(client, entity, "bank", ASSET)
    await new_account(client, entity, "equity")
    await new_account(client, entity, "fees", EXPENSE)
    return Bank(client, entity)


FEES = resources.ChargeTemplate(name="fees", pattern="fee*", account_id="fees", description="Bank fee")


async def charge_fees(bank: Bank) -> None:
    """Fees that only the bank knows of are proposed to be booked."""
    profile = resources.ReconciliationProfile(charges=[FEES])
    await bank.call("UpdateReconciliationProfile", profile=profile, update_mask={"paths": ["charges"]})


async def test_what_was_not_booked_is_not_confirmed_however_many(bank: Bank) -> None:
    """Only so many failures are told; the matches of those beyond were confirmed, and their money was nowhere."""
    await charge_fees(bank)
    many = 1_005
    await bank.bring(csv([("2026-06-02", "-1.00", f"fee {number}") for number in range(many)]))
    assert (await bank.call("RunMatching")).write_offs == many
    freeze = account_service_pb2.FreezeAccountRequest(
        entity_id=bank.entity, account_id="fees", idempotency_key=unique("key")
    )
    await bank.client.accounts.FreezeAccount(freeze)
    answer = await bank.call("ConfirmMatches", with_write_offs=True)
    assert (answer.confirmed, answer.write_offs, len(answer.failures)) == (0, 0, 1_000)
    assert not (await bank.call("ListMatches", state=resources.MATCH_STATE_CONFIRMED)).matches


async def test_a_rejected_charge_does_not_come_back(bank: Bank) -> None:
    await charge_fees(bank)
    await bank.bring(csv([("2026-06-02", "-1.00", "fee")]))
    assert (await bank.call("RunMatching")).write_offs == 1
    await bank.call("RejectMatches", match_numbers=[1])
    again = await bank.call("RunMatching")
    assert (again.write_offs, [one.kind for one in again.findings]) == (0, [resources.FINDING_KIND_CHARGE])


async def test_no_line_is_lost_by_beginning_anew(bank: Bank) -> None:
    """It began later, then earlier again: what was booked in between had come in and was nowhere."""
    await bank.bring(csv([("2026-06-02", "5.00", "a"), ("2026-06-20", "7.00", "b")]))
    for day, told, expected in (("2026-06-10", "5.00", [2]), ("2026-06-01", "0.00", [1, 2])):
        await bank.call("StartReconciliation", date=day, statement_balance=told)
        assert [line.number for line in (await bank.call("ListStatementLines")).lines] == expected
        assert (await bank.report()).equation.statement_balance == "12.00"


async def test_what_was_rejected_stays_so_when_it_begins_anew_or_is_closed(bank: Bank) -> None:
    """A transaction and its reversal as well, though no line is in their match."""
    await bank.reverse(await bank.post("2026-06-02", "5.00"))
    await bank.post("2026-06-02", "9.00")
    await bank.bring(csv([("2026-06-02", "9.00", "a")]))
    await bank.call("RunMatching")
    numbers = [one.number for one in (await bank.call("ListMatches")).matches]
    assert len(numbers) == 2
    await bank.call("RejectMatches", match_numbers=numbers)
    await bank.call("StartReconciliation", date="2026-06-01", statement_balance="0.00")
    assert not (await bank.call("RunMatching")).matched
    await bank.call("CloseReconciliation", date="2026-06-30", accept_differences=True)
    assert not (await bank.call("RunMatching")).matched


async def test_a_beginning_reads_no_more_than_fits(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an account with millions of transactions all were read, and taken over."""
    monkeypatch.setattr(writing, "MAX_IN_SCOPE", 2)
    for day in ("2026-06-02", "2026-06-03", "2026-06-04"):
        await bank.post(day, "5.00")
    with pytest.raises(Refused) as caught:
        await bank.call("StartReconciliation", date="2026-06-01")
    assert (caught.value.reason, caught.value.metadata) == ("WORK_TOO_LARGE", {"limit": "transactions"})
    await bank.call("StartReconciliation", date="2026-06-03")


async def test_a_replay_tells_the_first_answer_whatever_came_after(bank: Bank) -> None:
    """Others were told RECONCILIATION_NOT_FOUND or RECONCILIATION_CHANGED, or what somebody else had made of it."""
    start: dict[str, Any] = {"date": "2026-06-01", "statement_balance": "0.00", "idempotency_key": "start"}
    change: dict[str, Any] = {
        "profile": {"charges": [FEES]},
        "update_mask": {"paths": ["charges"]},
        "idempotency_key": "profile",
    }
    close: dict[str, Any] = {"date": "2026-06-30", "accept_differences": True, "idempotency_key": "close"}
    await bank.post("2026-06-03", "3.00")
    begun = await bank.call("StartReconciliation", **start)
    changed = await bank.call("UpdateReconciliationProfile", **change)
    await bank.bring(csv([("2026-06-02", "5.00", "a")]))
    closed = await bank.call("CloseReconciliation", **close)
    assert (begun.reconciliation.is_closed, closed.reconciliation.is_closed) == (False, True)
    await bank.call("UpdateReconciliationProfile", profile={}, update_mask={"paths": ["charges"]})
    await bank.call("ReopenReconciliation", date="2026-06-30")
    answers = [("StartReconciliation", start, begun), ("UpdateReconciliationProfile", change, changed)]
    for method, fields, answer in (*answers, ("CloseReconciliation", close, closed)):
        answer.replayed = True
        assert await bank.call(method, **fields) == answer


async def test_a_replay_needs_no_currency_that_the_first_call_did_not_need(bank: Bank) -> None:
    await bank.call("StartReconciliation", date="2026-06-01", statement_balance="0.00")
    request = pb.RunMatchingRequest(entity_id=bank.entity, account_id="bank", idempotency_key="run")
    first = await bank.client.reconciliations.RunMatching(request)
    await bank.call("StartReconciliation", date="2026-06-01", statement_balance="0.00", currency="EUR")
    again = await bank.client.reconciliations.RunMatching(request)
    assert (again.replayed, again.revision) == (True, first.revision)


async def test_a_key_is_for_one_way_to_read_a_file(bank: Bank) -> None:
    content = csv([("2026-06-02", "5.00", "a")])
    await bank.bring(content, idempotency_key="key")
    assert (await bank.bring(content, idempotency_key="key")).replayed
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await bank.bring(content, idempotency_key="key", csv_mapping={"amount": "Amount", "date": "Date"})
    assert refusal_of(caught.value).reason == "IDEMPOTENCY_KEY_REUSED"


async def test_balances_may_come_after_the_file(bank: Bank) -> None:
    """The file was known, so what the caller told of it was dropped without a word."""
    content = csv([("2026-06-02", "5.00", "a")])
    await bank.bring(content)
    balances = {"opening_balance": "0.00", "closing_balance": "6.00"}
    more = await bank.bring(content, **balances)
    assert (more.lines, more.known_lines, more.replayed) == (0, 1, False)
    assert (await bank.report("2026-06-02")).equation.statement_gap == "-1.00"
    assert (await bank.bring(content, **balances)).revision == more.revision


async def test_a_file_that_is_read_otherwise_does_not_come_in_twice(bank: Bank) -> None:
    content = b"Date,Amount,Description,Other\n2026-06-02,5.00,a,7.00\n"
    await bank.bring(content, csv_mapping={"amount": "Amount"})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await bank.bring(content, csv_mapping={"amount": "Other"}, closing_balance="7.00")
    assert refusal_of(caught.value).reason == "STATEMENT_MISMATCH"


async def test_one_file_many_times_at_once_comes_in_once(bank: Bank) -> None:
    """Each was looked for before its turn: the same file came in several times, if without lines."""
    content = csv([("2026-06-02", "5.00", "a")])
    answers = await asyncio.gather(*(bank.bring(content) for _ in range(6)))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 5
    assert len((await bank.call("ListStatements")).statements) == 1


async def test_a_statement_without_lines_has_a_sign_too(bank: Bank) -> None:
    await bank.bring(b":20:1\r\n:25:123/456\r\n:28C:1\r\n:60F:C260601USD10,00\r\n:62F:C260630USD10,00\r\n-\r\n")
    change = {"profile": {"is_inverted": True}, "update_mask": {"paths": ["is_inverted"]}}
    with pytest.raises(Refused) as caught:
        await bank.call("UpdateReconciliationProfile", **change)
    assert caught.value.metadata["field"] == "profile.is_inverted"


async def test_a_write_off_goes_to_another_account(bank: Bank) -> None:
    """It was booked from the account to itself, and its match confirmed with nothing settled."""
    await bank.bring(csv([("2026-06-02", "-1.00", "fee")]))
    own = resources.ChargeTemplate(name="own", pattern="fee*", account_id="bank", description="Bank fee")
    charges = {"profile": {"charges": [own]}, "update_mask": {"paths": ["charges"]}}
    differences = {
        "profile": {"difference_account_id": "bank", "difference_description": "Difference"},
        "update_mask": {"paths": ["difference_account_id", "difference_description"]},
    }
    by_hand = {"line_numbers": [1], "write_off_account_id": "bank", "write_off_description": "Bank fee"}
    for method, fields, field in (
        ("UpdateReconciliationProfile", charges, "profile.charges[0].account_id"),
        ("UpdateReconciliationProfile", differences, "profile.difference_account_id"),
        ("CreateMatch", by_hand, "write_off_account_id"),
    ):
        with pytest.raises(Refused) as caught:
            await bank.call(method, **fields)
        assert (caught.value.reason, caught.value.metadata["field"]) == ("INVALID_ARGUMENT", field)


async def test_a_write_off_is_in_one_match(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """Booked by a call that was cut off, then matched with another line: confirming put it into a second match."""
    await charge_fees(bank)
    await bank.bring(csv([("2026-06-02", "-1.00", "fee"), ("2026-06-02", "-1.00", "else")]))
    assert (await bank.call("RunMatching")).write_offs == 1

    async def fails(*_: object) -> None:
        raise Unavailable("cut off")

    with monkeypatch.context() as cut:
        cut.setattr(ReconciliationStore, "stage", fails)
        with pytest.raises(Refused):
            await bank.call("ConfirmMatches", match_numbers=[1])
    [booked] = (await bank.call("ListLedgerItems")).items
    await bank.call("CreateMatch", line_numbers=[2], transaction_ids=[booked.transaction_id])
    answer = await bank.call("ConfirmMatches", match_numbers=[1])
    assert (answer.confirmed, answer.write_offs) == (0, 0)
    assert [(one.match_number, one.reason) for one in answer.failures] == [(1, "ITEM_NOT_OPEN")]
    await bank.call("UndoMatches", match_numbers=[2])
    assert (await bank.call("ConfirmMatches", match_numbers=[1])).confirmed == 1
    await bank.report()


async def test_days_at_the_ends_of_time(bank: Bank) -> None:
    """A transaction of the year 1 made a report of half a million weeks, one of 9999 none at all."""
    for day in ("0001-01-03", "9999-12-30"):
        await bank.post(day, "5.00")
    await bank.call("StartReconciliation", date="2026-06-01", statement_balance="0.00")
    with pytest.raises(Refused) as caught:
        await bank.report("9999-12-30")
    assert caught.value.metadata["field"] == "date"
    start = {"date": "1900-01-01", "statement_balance": "0.00"}
    old = (await bank.call("ListLedgerItems")).items
    await bank.call("StartReconciliation", **start, outstanding_transaction_ids=[one.transaction_id for one in old])
    assert len((await bank.report("2199-12-31")).weeks) <= 1_040
