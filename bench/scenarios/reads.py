"""R1, R2: reads of the large ledger beside those of little, call by call in turns."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from bench import dataset, paging
from bench.dataset import BUSY, COMMON_WORD, ENTITY, MIDDLE, MONTH, QUIET, RARE_WORD, Dataset, State
from bench.errors import BenchError
from bench.figures import Calls
from bench.paging import PAGE
from bench.running import Run
from ledger.v1 import account_service_pb2 as accounts_pb
from ledger.v1 import transaction_service_pb2 as pb
from ledger_client import LedgerClient, timestamp

LARGE, SMALL = 5_000_000, 10_000
LEAST = 2_600
"""Transactions of the large ledger at any scale: a month must fill a page."""
_MOST_FOUND = 10_000
"""Transactions that a search can be paged through."""
_LEAST_CALLS = 5

Read = Callable[[], Awaitable[object]]


async def balances(run: Run) -> None:
    """R1: the same question about the account with a fifth of all entries and about the one with 10."""
    ledger = Dataset.of(run.options.data, run.options.scaled(LARGE, LEAST))
    state = await ledger.ensure(run.token, run.say)
    _state_facts(run, state)
    async with ledger.served(run.token) as service, service.client() as client:
        known = await dataset.recorded_in_the_middle(service.dsn)
        moments = {
            "now": None,
            "effective": accounts_pb.BalanceMoment(effective_time=timestamp(MIDDLE)),
            "known": accounts_pb.BalanceMoment(known_time=timestamp(known)),
        }
        async for _ in run.rounds():
            for name, moment in moments.items():
                ours, theirs = await _in_turns(run, _balance(client, BUSY, moment), _balance(client, QUIET, moment))
                run.record(f"{name}: {state.transactions // 5:,} entries", ours, has_rate=False)
                run.record(f"{name}: 10 entries", theirs, is_yardstick=True, has_rate=False)
                run.ratio(f"R1.{name}", ours.latency(0.5) / theirs.latency(0.5))


async def pages(run: Run) -> None:
    """R2: pages of 50 of the large ledger and of the small one, each on a PostgreSQL and a service of its own."""
    large = Dataset.of(run.options.data, run.options.scaled(LARGE, LEAST))
    small = Dataset.of(run.options.data, run.options.scaled(SMALL, LEAST // 2))
    states = [await one.ensure(run.token, run.say, with_last_pages=True) for one in (large, small)]
    _state_facts(run, *states)
    async with AsyncExitStack() as stack:
        kinds = []
        for one, state in zip((large, small), states, strict=True):
            service = await stack.enter_async_context(one.served(run.token))
            kinds.append(_pages(await stack.enter_async_context(service.client()), state))
        async for _ in run.rounds():
            for name, read in kinds[0].items():
                ours, theirs = await _in_turns(run, read, kinds[1][name])
                run.record(f"{name}: {states[0].transactions:,}", ours, has_rate=False)
                run.record(f"{name}: {states[1].transactions:,}", theirs, is_yardstick=True, has_rate=False)
                run.ratio(f"R2.{name}", ours.latency(0.5) / theirs.latency(0.5))


def _state_facts(run: Run, *states: State) -> None:
    run.facts["ledgers"] = [
        {"transactions": one.transactions, "verified_when_made": one.verified, "recipe": dataset.__doc__}
        for one in states
    ]
    run.facts["verified"] = "each ledger when it was made; only reads since"


def _balance(client: LedgerClient, account: str, moment: accounts_pb.BalanceMoment | None) -> Read:
    request = accounts_pb.GetBalanceRequest(entity_id=ENTITY, account_id=account, currency="USD", moment=moment)
    return lambda: client.accounts.GetBalance(request)


def _pages(client: LedgerClient, state: State) -> dict[str, Read]:
    transactions, entries = client.transactions.ListTransactions, client.accounts.ListEntries
    last = state.last_pages
    common = min(_MOST_FOUND, state.transactions // 50)
    return {
        "list_first": _page(transactions, paging.list_request(ENTITY)),
        "list_last": _page(transactions, paging.list_request(ENTITY), last["list"]),
        "entries_first": _page(entries, paging.entries_request(ENTITY, BUSY)),
        "entries_last": _page(entries, paging.entries_request(ENTITY, BUSY), last["entries"]),
        "month_first": _page(transactions, paging.month_request(ENTITY, MONTH)),
        "month_last": _page(transactions, paging.month_request(ENTITY, MONTH), last["month"]),
        "search_first": _search(client, COMMON_WORD, 1, min(PAGE, common)),
        "search_last": _search(client, COMMON_WORD, max(1, common // PAGE), min(PAGE, common)),
        "rare_first": _search(client, RARE_WORD, 1, 10),
    }


def _page(call: Any, request: Any, token: str = "") -> Read:  # noqa: ANN401  # a list's method and request
    request.page_size, request.page_token = PAGE, token

    async def read() -> None:
        answer = await call(request)
        rows = len(answer.entries if hasattr(answer, "entries") else answer.transactions)
        if rows != PAGE:
            # Another amount of rows would be another piece of work.
            raise BenchError(f"{type(request).__name__}: a page has {rows} rows instead of {PAGE}")

    return read


def _search(client: LedgerClient, word: str, page: int, rows: int) -> Read:
    request = pb.SearchTransactionsRequest(entity_id=ENTITY, query=word, page=page, page_size=PAGE)

    async def read() -> None:
        answer = await client.transactions.SearchTransactions(request)
        if len(answer.transactions) != rows:
            raise BenchError(f"search for {word}: {len(answer.transactions)} rows instead of {rows}")

    return read


async def _in_turns(run: Run, ours: Read, theirs: Read) -> tuple[Calls, Calls]:
    """One call of each, again and again, for the time of a measurement; a few of each at least."""
    began = time.time()
    timed: tuple[Calls, Calls] = Calls(began, began, 1, [], []), Calls(began, began, 1, [], [])
    while time.time() < began + run.seconds / 2 or len(timed[0].ends) < _LEAST_CALLS:
        for read, calls in zip((ours, theirs), timed, strict=True):
            sent = time.time()
            await read()
            calls.ended = time.time()
            calls.ends.append(calls.ended)
            calls.latencies.append(calls.ended - sent)
    return timed
