"""Short ways to say what a test of reconciliation needs: one account's, through the generated client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import grpc.aio
from google.protobuf.field_mask_pb2 import FieldMask

from ledger.v1 import account_service_pb2
from ledger.v1 import reconciliation_pb2 as messages
from ledger.v1 import reconciliation_service_pb2 as pb
from tests.helpers.builders import balance, timestamp
from tests.helpers.rpc import refusal_of

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

CHUNK_BYTES = 1024
"""Of a file in tests: small, so that files come in several messages."""
PAGE = 1000

EXPONENT = 2


def units(text: str) -> int:
    """Minor units of an amount as the wire writes it, in a currency of two decimals."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, decimals = digits.split(".")
    assert len(decimals) == EXPONENT, text
    return sign * int(whole + decimals)


def decimal(amount: int) -> str:
    """Minor units as the wire writes them, in a currency of two decimals."""
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100}.{abs(amount) % 100:02d}"


def noon(day: date, zone: str = "UTC") -> Any:
    """An effective time that lies on a day."""
    return timestamp(datetime.combine(day, time(12), ZoneInfo(zone)))


async def parts_of(header: pb.ImportStatementHeader, data: bytes) -> AsyncIterator[pb.ImportStatementRequest]:
    """The messages of an upload."""
    yield pb.ImportStatementRequest(header=header)
    for first in range(0, len(data), CHUNK_BYTES):
        yield pb.ImportStatementRequest(chunk=data[first : first + CHUNK_BYTES])


@dataclass
class Books:
    """The reconciliation of one account in one currency; refusals are raised as Refused."""

    client: Client
    entity_id: str
    account_id: str
    currency: str = "EUR"

    async def call(self, method: str, **fields: Any) -> Any:
        """Any unary method, by its name; the place is filled in."""
        place = {"entity_id": self.entity_id, "account_id": self.account_id, "currency": self.currency}
        request = getattr(pb, f"{method}Request")(**{**place, **fields})
        return await getattr(self.client.reconciliations, method)(request)

    async def send(self, data: bytes, **header: Any) -> pb.ImportStatementResponse:
        """ImportStatement."""
        place = {"entity_id": self.entity_id, "account_id": self.account_id, "currency": self.currency}
        message = pb.ImportStatementHeader(**{"file_name": "statement", **place, **header})
        try:
            answer: pb.ImportStatementResponse = await self.client.reconciliations.ImportStatement(
                parts_of(message, data), timeout=self.client.timeout
            )
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) from None
        return answer

    async def profile(self, profile: messages.ReconciliationProfile, *paths: str, **fields: Any) -> Any:
        """UpdateReconciliationProfile of some fields."""
        mask = FieldMask(paths=paths)
        return await self.call("UpdateReconciliationProfile", profile=profile, update_mask=mask, **fields)

    async def report(self, day: date | None = None, **fields: Any) -> messages.Reconciliation:
        """GetReconciliation."""
        answer = await self.call("GetReconciliation", date=day.isoformat() if day else "", **fields)
        found: messages.Reconciliation = answer.reconciliation
        return found

    async def statements(self) -> list[messages.Statement]:
        """All, oldest first."""
        return list(reversed(await self._all("ListStatements", "statements")))

    async def lines(self, **fields: Any) -> list[messages.StatementLine]:
        """ListStatementLines, every page."""
        return await self._all("ListStatementLines", "lines", **fields)

    async def items(self, **fields: Any) -> list[messages.LedgerItem]:
        """ListLedgerItems, every page."""
        return await self._all("ListLedgerItems", "items", **fields)

    async def matches(self, **fields: Any) -> list[messages.ReconciliationMatch]:
        """ListMatches, every page."""
        return await self._all("ListMatches", "matches", **fields)

    async def findings(self, **fields: Any) -> list[messages.ReconciliationFinding]:
        """ListFindings, every page."""
        return await self._all("ListFindings", "findings", **fields)

    async def ledger_balance(self, day: date, zone: str = "UTC") -> int:
        """What GetBalance says of the end of a day, posted and pending together."""
        end = datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(zone)) - timedelta(microseconds=1)
        moment = account_service_pb2.BalanceMoment(effective_time=timestamp(end))
        told = await balance(self.client, self.entity_id, self.account_id, self.currency, moment=moment)
        return units(told.pending.amount)

    async def _all(self, method: str, field: str, **fields: Any) -> list[Any]:
        found: list[Any] = []
        token = ""
        while True:
            page = await self.call(method, page_size=PAGE, page_token=token, **fields)
            found += getattr(page, field)
            token = page.next_page_token
            if not token:
                return found


TERMS = (
    "deposits_in_transit", "outstanding_payments", "receipts_not_recorded", "payments_not_recorded",
    "write_offs_proposed", "differences", "opening_difference", "statement_gap",
)  # fmt: skip
"""Of the equation: what is added to the statement's balance."""
SIGNS = {
    "deposits_in_transit": 1, "outstanding_payments": -1, "receipts_not_recorded": -1, "payments_not_recorded": 1,
}  # fmt: skip


def check_equation(report: messages.Reconciliation, ledger: int | None = None) -> None:
    """It adds up, each term has the sign that the proto promises, and what is listed comes to the terms."""
    equation = report.equation
    terms = {name: units(getattr(equation, name)) for name in TERMS}
    total = units(equation.statement_balance) + sum(terms.values())
    assert total == units(equation.ledger_balance), equation
    assert equation.adds_up, equation
    for name, sign in SIGNS.items():
        assert terms[name] * sign >= 0, (name, equation)
    if ledger is not None:
        assert units(equation.ledger_balance) == ledger, equation
    assert report.open_items_left_out == 0
    listed = dict.fromkeys(SIGNS, 0)
    for item in report.open_items:
        amount = units(item.amount)
        if item.line_number:
            listed["receipts_not_recorded" if amount > 0 else "payments_not_recorded"] -= amount
        else:
            listed["deposits_in_transit" if amount > 0 else "outstanding_payments"] += amount
    assert listed == {name: terms[name] for name in SIGNS}, report
    differ = {True: 0, False: 0}
    for one in report.differences:
        differ[one.has_write_off] += units(one.difference)
    assert (differ[True], differ[False]) == (terms["write_offs_proposed"], terms["differences"]), report
    aged = (
        sum(units(age.transactions_amount) for age in report.ages),
        sum(units(age.lines_amount) for age in report.ages),
    )
    in_lines = -terms["receipts_not_recorded"] - terms["payments_not_recorded"]
    assert aged == (terms["deposits_in_transit"] + terms["outstanding_payments"], in_lines), report


def rules(*kinds: Any, **fields: Any) -> Iterable[messages.MatchRule]:
    """Rules of a profile that differ in their kind only."""
    return [messages.MatchRule(kind=kind, **fields) for kind in kinds]
