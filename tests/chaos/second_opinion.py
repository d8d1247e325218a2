"""A second opinion on small windows of an account's history: porcupine, a checker of linearizability that others wrote.

It knows nothing of the ledger's sequence, of keys and of replays: only when each thing was asked and answered, what it
does to the balance, and which balance was told. From that it must find an order that one account can go through.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.v1 import account_service_pb2
from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.disk import NotPossibleError
from tests.chaos.history import NEVER
from tests.chaos.verdict import Breach, Verdict
from tests.helpers.model import Create
from tests.helpers.rpc import Refused

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from tests.chaos.history import Story, Write
    from tests.chaos.last_reads import LastReads
    from tests.helpers.rpc import Client

PROGRAM = Path(".cache/bin/porcupine")
"""Made by scripts/install_porcupine."""
ACCOUNT = "hot"
"""It has a floor at zero."""
_SECONDS = 0.5
_MOST = 60
"""Operations of a window: more are cut off at its end."""
_MOST_REFUSED = 5
"""Refusals of a window. They fit in at many places, and each more doubles what there is to try."""
_PAGE = 1_000

# One caller is told a balance that nobody can have left, and one is let below the floor.
_CANARIES = (
    [("applied", 0, 1, 100, 100), ("read", 2, 3, 0, 99)],
    [("applied", 0, 1, 100, 100), ("applied", 2, 3, -101, -1)],
    [("applied", 0, 1, 100, 100), ("refused", 2, 3, -60, 0)],
    [("applied", 0, 1, 100, 100), ("read", 4, 5, 0, 0), ("perhaps", 2, 3, 7, 9)],
)
_LIVING = [("applied", 0, 5, 100, 150), ("applied", 1, 5, 50, 50), ("refused", 2, 3, -60, 0), ("read", 6, 7, 0, 150)]


@dataclass(frozen=True)
class Step:
    """One thing that was asked, however often it was sent, and what was told. Balances are minor units."""

    kind: str
    call: float
    back: float
    delta: int
    balance: int

    def as_json(self, start: float, kind: str = "") -> dict[str, Any]:
        """For the program; `kind` instead of its own."""
        call, back = (max(0, int((each - start) * 1e9)) for each in (self.call, min(self.back, start + 10_000)))
        return {"kind": kind or self.kind, "call": call, "return": back, "delta": self.delta, "balance": self.balance}


async def second_opinion(
    client: Client, stories: Sequence[tuple[Story, LastReads]], count: int, chance: random.Random
) -> Verdict:
    """On `count` windows of each story; and on histories that are broken on purpose, which must be found.

    Raises NotPossibleError where the program has not been built.
    """
    if not PROGRAM.exists():
        raise NotPossibleError("it is not built (scripts/install_porcupine, with a Go toolchain)")
    names, windows = [], []
    for story, last in stories:
        balances = await _balances(client, story)
        applied = {
            event.idempotency_key: balances[event.transaction.id]
            for event in last.events
            if event.kind == pb.EVENT_KIND_TRANSACTION_CREATED and event.transaction.id in balances
        }
        steps = steps_of(story, applied)
        for window in _windows(steps, count, chance):
            names.append(story.name)
            windows.append(window)
    broken = [_window([Step(*each) for each in canary], 0, 10) for canary in _CANARIES]
    living = _window([Step(*each) for each in _LIVING], 0, 10)
    verdicts = await _ask([*broken, living, *windows])
    assert verdicts[: len(broken) + 1] == ["Illegal"] * len(broken) + ["Ok"], f"porcupine does not bite: {verdicts[:5]}"
    verdict = Verdict()
    for name, window, told in zip(names, windows, verdicts[len(broken) + 1 :], strict=True):
        if told == "Illegal":
            verdict.note(Breach.SECOND_OPINION, f"{name}: {json.dumps(window)[:2_000]}")
        verdict.checked[f"porcupine: {told}"] += 1
        verdict.checked["porcupine: operations"] += len(window["operations"])
    return verdict


async def _ask(windows: Sequence[Mapping[str, Any]]) -> list[str]:
    process = await asyncio.create_subprocess_exec(str(PROGRAM), stdin=PIPE, stdout=PIPE, stderr=PIPE)
    output, errors = await process.communicate(json.dumps(windows).encode())
    assert process.returncode == 0, errors.decode()
    verdicts: list[str] = json.loads(output)
    return verdicts


async def _balances(client: Client, story: Story) -> dict[str, int]:
    """The balance after each transaction, by its id: of what nobody was told an answer to."""
    request = account_service_pb2.ListEntriesRequest(
        entity_id=story.name, account_id=ACCOUNT, page_size=_PAGE, ascending=True
    )
    found: dict[str, int] = {}
    while True:
        page = await client.accounts.ListEntries(request)
        found.update((entry.transaction_id, _minor(entry.posted.amount)) for entry in page.entries)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def steps_of(story: Story, applied: Mapping[str, int]) -> list[Step]:
    """Everything that was asked of the account, in the order of the asking. `applied`: the balance after, by key."""
    tries: dict[str, list[Write]] = {}
    for write in story.writes:
        if isinstance(write.command, Create) and any(leg.account == ACCOUNT for leg in write.command.legs):
            tries.setdefault(write.command.key, []).append(write)
    # Whom nobody answered, a watcher has told of: without that it could have happened at any time since.
    seen: dict[str, float] = {}
    for each in (each for watch in story.watches for each in watch if each.key):
        seen[each.key] = min(each.at, seen.get(each.key, NEVER))
    told = (_step(writes, applied.get(key), seen.get(key, NEVER)) for key, writes in tries.items())
    steps = [step for step in told if step is not None]
    for look in story.looks:
        told = next((each for each in look.balances if each.account_id == ACCOUNT), None)
        if told is not None:
            steps.append(Step("read", look.invoked, look.answered, 0, _minor(told.posted.amount)))
    return sorted(steps, key=lambda step: step.call)


def _step(writes: Sequence[Write], balance: int | None, seen: float) -> Step | None:
    """All tries of one key: it happened between the first asking and the first answer, or when it was seen."""
    known = [write for write in writes if write.is_known]
    call = min(write.invoked for write in writes)
    back = min((write.answered for write in known), default=NEVER)
    [side] = {leg.side for leg in writes[0].command.legs if leg.account == ACCOUNT}
    amount = writes[0].command.legs[0].amount
    delta = amount if side == "CREDIT" else -amount
    if balance is not None:
        return Step("applied", call, min(back, seen), delta, balance)
    # Of an atomic batch every item is told the refusal of one.
    refused = next((write.answer for write in known if isinstance(write.answer, Refused) and not write.batch), None)
    if refused is not None and refused.reason == "INSUFFICIENT_BALANCE":
        return Step("refused", call, back, delta, 0)
    return None  # it has not happened


def _windows(steps: Sequence[Step], count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(min(count, len(steps))):
        start = chance.choice(steps).call
        inside = [step for step in steps if start <= step.call < start + _SECONDS]
        end = inside[_MOST].call if len(inside) > _MOST else start + _SECONDS
        yield _window(steps, start, end)


def _window(steps: Sequence[Step], start: float, end: float) -> dict[str, Any]:
    """What touches the time from start to end; what reaches beyond it has perhaps happened outside."""
    operations: list[dict[str, Any]] = []
    refused = 0
    for step in steps:
        if step.call > end or step.back < start:
            continue
        refused += step.kind == "refused"
        if step.kind == "refused" and refused > _MOST_REFUSED:
            continue
        if start <= step.call and step.back <= end:
            operations.append(step.as_json(start))
        elif step.kind == "applied":
            operations.append(step.as_json(start, "perhaps"))
    return {"floor": 0, "operations": operations}


def _minor(amount: str) -> int:
    return int(amount.replace(".", ""))
