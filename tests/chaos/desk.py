"""An account that is reconciled while others post to it: what is asked, what is told, and who asks in which order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc.aio
from google.rpc import status_pb2

from ledger.v1 import reconciliation_pb2 as messages
from ledger.v1 import reconciliation_service_pb2 as pb
from tests.chaos.history import now
from tests.helpers.camt_writer import Booked, file_of, statement
from tests.helpers.load import AMBIGUOUS
from tests.helpers.model import Account, Create, Leg
from tests.helpers.reconciling import parts_of
from tests.helpers.rpc import Refused, refusal_of

if TYPE_CHECKING:
    from tests.chaos.callers import Caller
    from tests.chaos.history import Story
    from tests.helpers.rpc import Client

BANK, SALES, FEES = "bank", "sales", "fees"
ACCOUNTS = (Account(BANK, "ASSET"), Account(SALES, "REVENUE"), Account(FEES, "EXPENSE"))
CURRENCY = "USD"
FIRST = date(2024, 1, 1)
"""The reconciliation begins on this day, with nothing; each closing goes on to the next day."""
LAST = FIRST + timedelta(days=3_650)
"""After every day that a run comes to."""

_ENOUGH = 12
"""Transactions that a bank's file is made of."""
_TAKEN = 25
_MAX_OPEN_ITEMS = 10_000
_HURRIED = 0.25
_PLACE = {"account_id": BANK, "currency": CURRENCY}


@dataclass(frozen=True)
class Alter:
    """A change of the reconciliation: a method, and what its request says besides the place and the key."""

    key: str
    method: str
    fields: tuple[tuple[str, Any], ...] = ()
    lines: tuple[Booked, ...] = ()
    """Of ImportStatement: what the file says."""

    @property
    def file(self) -> bytes:
        """The file, as the bank writes it."""
        return file_of(statement(self.lines, currency=CURRENCY, number=self.key))


class Report(NamedTuple):
    """A read of the whole reconciliation as of a day."""

    invoked: float
    answered: float
    told: messages.Reconciliation


class Again(NamedTuple):
    """A file that was sent once more without a key, after it had been acknowledged, and what was told."""

    first: Alter
    told: pb.ImportStatementResponse


@dataclass(eq=False)
class Desk:
    """Of one account."""

    day: date = FIRST
    """Which is being worked on."""
    unbanked: list[tuple[str, int]] = field(default_factory=list)
    """Acknowledged and on no file yet: key, and what the account changes by."""
    reports: list[Report] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)


def call_of(story: Story, alter: Alter, client: Client) -> tuple[Any, Any]:
    """The request, and what to send it by; as of the other commands."""
    fields = {"entity_id": story.name, **_PLACE, "idempotency_key": alter.key, **dict(alter.fields)}
    if alter.method == "ImportStatement":
        return alter, lambda _, timeout: _import(client, {**fields, "file_name": alter.key}, alter, timeout)
    return getattr(pb, f"{alter.method}Request")(**fields), getattr(client.reconciliations, alter.method)


async def _import(client: Client, fields: dict[str, Any], alter: Alter, seconds: float) -> pb.ImportStatementResponse:
    call = client.reconciliations.ImportStatement(
        parts_of(pb.ImportStatementHeader(**fields), alter.file), timeout=seconds
    )
    try:
        answer: pb.ImportStatementResponse = await call
    except grpc.aio.AioRpcError as error:
        raise refusal_of(error) from None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody has cancelled us: grpc.aio itself gives a call up so, when a part of the file can't be sent any more.
        raise Refused(status_pb2.Status(code=grpc.StatusCode.CANCELLED.value[0], message="given up by gRPC")) from None
    finally:
        call.cancel()
    return answer


async def begin(caller: Caller) -> None:
    """Before anything breaks: the account's reconciliation starts with nothing."""
    profile = messages.ReconciliationProfile(
        rules=[
            messages.MatchRule(kind=messages.MATCH_RULE_KIND_REFERENCE, days=366, auto_confirm=True),
            messages.MatchRule(kind=messages.MATCH_RULE_KIND_AMOUNT_AND_DATE, days=1),
        ],
        charges=[
            messages.ChargeTemplate(name="fee", pattern="account fee", sign=-1, account_id=FEES, description="Fee")
        ],
        clears_transactions=True,
    )
    paths = ["rules", "charges", "clears_transactions"]
    for method, fields in (
        ("StartReconciliation", (("date", FIRST.isoformat()), ("statement_balance", "0.00"))),
        ("UpdateReconciliationProfile", (("profile", profile), ("update_mask", {"paths": paths}))),
    ):
        answer = await caller.write(Alter(caller.key(), method, fields))
        assert not isinstance(answer, Refused), answer


async def reconciliation(caller: Caller) -> None:
    """Post to the account; and whoever finds enough of that makes the bank's file of it, and reconciles."""
    desk = caller.story.desk
    if len(desk.unbanked) < _ENOUGH:
        await asyncio.gather(*(_post(caller, desk) for _ in range(3)))
    else:
        await _reconcile(caller, desk)


async def _post(caller: Caller, desk: Desk) -> None:
    chance, key = caller.chance, caller.key()
    amount = chance.choice((1, -1)) * chance.randint(1, 90_000)
    sides = ("DEBIT", "CREDIT") if amount > 0 else ("CREDIT", "DEBIT")
    legs = tuple(Leg(account, side, CURRENCY, abs(amount)) for account, side in zip((BANK, SALES), sides, strict=True))
    status = chance.choice(("POSTED", "POSTED", "PENDING"))
    answer = await caller.write(
        Create(key, legs, status, effective=noon(desk.day), reference=f"R-{key}"), hurried=_HURRIED
    )
    if answer is not None and not isinstance(answer, Refused):
        desk.unbanked.append((key, amount))


def noon(day: date) -> datetime:
    """A time that lies on a day."""
    return datetime.combine(day, time(12), UTC)


async def _reconcile(caller: Caller, desk: Desk) -> None:
    """A file comes in, the rules run, people confirm, and now and then the day is closed and perhaps reopened."""
    chance, day = caller.chance, desk.day
    if not await _bring(caller, desk, day):
        return
    await caller.write(Alter(caller.key(), "RunMatching"), hurried=_HURRIED)
    await look(caller, LAST)
    await caller.write(Alter(caller.key(), "ConfirmMatches", (("with_write_offs", True),)), hurried=_HURRIED)
    if chance.random() < 0.3:
        await look(caller, day)
    if chance.random() < 0.5:
        await _close(caller, desk, day)


async def _bring(caller: Caller, desk: Desk, day: date) -> bool:
    """Whether it is known to have come in."""
    chance, key = caller.chance, caller.key()
    taken, desk.unbanked = desk.unbanked[:_TAKEN], desk.unbanked[_TAKEN:]
    lines = [Booked(day, amount, f"R-{name}", f"for {name}") for name, amount in taken]
    if chance.random() < 0.5:
        lines.append(Booked(day, -chance.randint(1, 900), "", f"account fee {key}"))
    alter = Alter(key, "ImportStatement", lines=tuple(lines))
    answer = await caller.write(alter, hurried=_HURRIED)
    if isinstance(answer, Refused):
        desk.unbanked += taken
        if answer.reason == "RECONCILIATION_CLOSED":
            desk.day = max(desk.day, day + timedelta(days=1))
        return False
    if answer is not None and chance.random() < 0.5:
        await _bring_again(caller, desk, alter)
    return answer is not None


async def _bring_again(caller: Caller, desk: Desk, alter: Alter) -> None:
    """The same file, by somebody who does not know of the first time."""
    fields = {"entity_id": caller.story.name, **_PLACE, "file_name": f"{alter.key} again"}
    try:
        told = await _import(caller.client, fields, alter, 20.0)
    except Refused as refused:
        if refused.code not in AMBIGUOUS and refused.reason != "QUEUE_FULL":
            raise
    else:
        desk.again.append(Again(alter, told))


async def _close(caller: Caller, desk: Desk, day: date) -> None:
    fields = (("date", day.isoformat()), ("accept_differences", True))
    closed = await caller.write(Alter(caller.key(), "CloseReconciliation", fields), hurried=_HURRIED)
    if isinstance(closed, Refused):
        if closed.reason == "RECONCILIATION_CLOSED":
            desk.day = max(desk.day, day + timedelta(days=1))
        return
    await look(caller, day)
    if caller.chance.random() < 0.5:
        await caller.write(Alter(caller.key(), "ReopenReconciliation", (("date", day.isoformat()),)), hurried=_HURRIED)
    else:
        desk.day = max(desk.day, day + timedelta(days=1))


async def look(caller: Caller, day: date) -> None:
    """Read the reconciliation as of a day, if anybody answers."""
    invoked = now()
    request = pb.GetReconciliationRequest(
        entity_id=caller.story.name, date=day.isoformat(), max_open_items=_MAX_OPEN_ITEMS, **_PLACE
    )
    try:
        answer = await caller.client.reconciliations.GetReconciliation(request)
    except Refused as refused:
        # A day that another caller's closing has gone over, and that is none itself, can't be asked for.
        if refused.code not in AMBIGUOUS and (day == LAST or refused.reason != "RECONCILIATION_NOT_FOUND"):
            raise
    else:
        caller.story.desk.reports.append(Report(invoked, now(), answer.reconciliation))


class LastBooks(NamedTuple):
    """All that the service has to tell of it at rest."""

    lines: list[messages.StatementLine]
    matches: list[messages.ReconciliationMatch]
    report: messages.Reconciliation
