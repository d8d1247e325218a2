"""Writing to the ledger. Every call here may be repeated, in this run or in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from bank_history.chart import batches, chart, transaction
from bank_history.records import Record
from ledger_client import LedgerClient, LedgerError, messages

TIME_ZONE = "Europe/Prague"
"""Where the bank's days and months begin."""

_ACCOUNTS_PER_CALL = 1000
_WORTH_TELLING_SECONDS = 0.5


@dataclass(slots=True)
class Tally:
    """What became of the records.

    Attributes:
        posted: recorded by this run.
        replayed: recorded before: by an earlier run, or by an attempt of this one whose answer was lost.
        refused: records that the ledger does not take, and why.
    """

    posted: int = 0
    replayed: int = 0
    refused: list[tuple[Record, LedgerError]] = field(default_factory=list)


class Patience:
    """The pause between two attempts; says once for each outage that the service is being waited for."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._seconds = seconds
        self._told = False

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds >= _WORTH_TELLING_SECONDS and not self._told:
            self._told = True
            self._console.print(f"the service does not answer; trying again for up to {self._seconds:.0f} s")
        await asyncio.sleep(seconds)

    def answered(self) -> None:
        """The service has answered: the next silence is another outage."""
        self._told = False


async def prepare(client: LedgerClient, entity_id: str, records: Sequence[Record]) -> None:
    """Create the entity and the chart of accounts, as far as they are not there.

    Raises LedgerError, among others when the id belongs to an entity of another name or time zone.
    """
    await client.entities.CreateEntity(
        messages.CreateEntityRequest(entity_id=entity_id, name="Bank of PKDD'99", time_zone=TIME_ZONE)
    )
    for batch in batches(chart(records), _ACCOUNTS_PER_CALL):
        await client.accounts.BatchCreateAccounts(
            messages.BatchCreateAccountsRequest(entity_id=entity_id, requests=batch)
        )


async def post(
    client: LedgerClient,
    entity_id: str,
    records: Sequence[Record],
    *,
    batch_size: int,
    in_flight: int,
    settled: Callable[[], None],
) -> Tally:
    """Post all records, each on its own, and call `settled` after each.

    The order of recording does not matter: no account has a limit, and reports go by effective time.

    Raises LedgerError when the service did not answer for too long; what was posted stays posted.
    """
    tally = Tally()
    requests = (transaction(record) for record in records)
    async for outcome in client.batch_create(entity_id, requests, chunk=batch_size, in_flight=in_flight):
        if outcome.response is not None:
            if outcome.response.replayed:
                tally.replayed += 1
            else:
                tally.posted += 1
        elif outcome.error is not None:
            if outcome.error.is_retryable or not outcome.error.is_definite:
                raise outcome.error
            tally.refused.append((records[outcome.index], outcome.error))
        settled()
    return tally
