"""POST /v1/transactions/bulk: many transactions in one call, each on its own or all or none."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ledger_service.application.batches import Answer as ItemAnswer
from ledger_service.application.batches import each_on_its_own, failure_of
from ledger_service.application.failures import item_of
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import Command, CreateTransaction
from ledger_service.domain.decide import Applied, Refused
from ledger_service.domain.errors import LedgerError, invalid
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.outgoing import Json
from ledger_service.gateway.periods import first_moment
from ledger_service.gateway.transactions import details_of_written, entity_of_query, transaction_command

_METHOD = "BatchCreateTransactions"
_PATH = "transactions"


async def create_many(services: Services, call: Call) -> Answer:
    """Malformed items of a call that is not atomic fail alone; the others are written."""
    entity_id = entity_of_query(call)
    items: list[dict[str, Any]] = call.body["transactions"]
    writes = services.use_cases.writes
    entity = await writes.entity_for(call.principal, _METHOD, entity_id)
    _check_size(services, items)
    services.use_cases.admission.charge(call.principal, len(items))
    zone = None
    if any(_is_day(item.get("date")) for item in items):
        zone = await services.use_cases.reads.time_zone(call.principal, _METHOD, entity_id)

    def command_at(index: int) -> CreateTransaction:
        return _command(services, call, items[index], index, zone)

    answers: list[ItemAnswer | None]
    if call.body.get("atomic", False):
        commands: list[Command] = [command_at(index) for index in range(len(items))]
        answers = list(await writes.all_or_none(entity, commands))
        if not all(isinstance(answer, Applied) for answer in answers):
            raise failure_of([answer for answer in answers if answer is not None], _PATH)
    else:
        answers = [item.answer async for item in each_on_its_own(writes, entity, len(items), command_at)]
    return Answer({"results": await _results(services, entity, answers)}, replayed=_is_replay(answers))


async def _results(services: Services, entity: Entity, answers: list[ItemAnswer | None]) -> list[Json]:
    written = [answer.transactions[0] for answer in answers if isinstance(answer, Applied)]
    details = await details_of_written(services, entity, written)
    results: list[Json] = []
    for index, answer in enumerate(answers):
        if isinstance(answer, Applied):
            one = services.out.transaction(entity, answer.transactions[0], details)
            results.append({"transaction": one, "replayed": answer.replayed})
            continue
        error = item_of(answer.error, f"{_PATH}[{index}]") if isinstance(answer, Refused) else answer
        assert error is not None
        results.append({"error": services.tell(error)})
    return results


def _is_replay(answers: list[ItemAnswer | None]) -> bool:
    """Whether nothing was recorded by this call: every item had been answered before."""
    return all(isinstance(answer, (Applied, Refused)) and answer.replayed for answer in answers)


def _command(
    services: Services, call: Call, item: dict[str, Any], index: int, zone: ZoneInfo | None
) -> CreateTransaction:
    try:
        when: datetime | date | None = item.get("date")
        if zone is not None and when is not None and not isinstance(when, datetime):
            when = first_moment(when, zone)
        assert when is None or isinstance(when, datetime)
        key = item.get("idempotency_key") or f"{call.key}/{index}"
        command = transaction_command(services, call, item, key, item.get("status", 0), when)
        services.use_cases.writes.check_direct_posting(call.principal, command)
        return command
    except LedgerError as error:
        raise item_of(error, f"{_PATH}[{index}]") from error


def _is_day(when: object) -> bool:
    return isinstance(when, date) and not isinstance(when, datetime)


def _check_size(services: Services, items: list[dict[str, Any]]) -> None:
    limits = services.use_cases.limits
    if len(items) > limits.max_batch_transactions:
        raise invalid(_PATH, f"must have 1 to {limits.max_batch_transactions} items, has {len(items)}")
    postings = sum(len(item.get("postings") or (0, 0)) for item in items)
    if postings > limits.max_batch_postings:
        raise invalid(_PATH, f"must have at most {limits.max_batch_postings} postings together, has {postings}")
