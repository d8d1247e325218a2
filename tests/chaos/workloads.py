"""Who writes what while the faults happen: each workload presses on one promise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.chaos import desk
from tests.chaos.history import Listing, now
from tests.chaos.last_reads import list_all
from tests.chaos.poison import POISON
from tests.helpers.load import AMBIGUOUS
from tests.helpers.model import Account, Approval, Approve, Clear, Create, Leg, Limit, Reverse, SetState, Void
from tests.helpers.rpc import Refused

if TYPE_CHECKING:
    from tests.chaos.callers import Caller

Step = Callable[["Caller"], Coroutine[Any, Any, None]]

BANK = tuple(f"bank-{number}" for number in range(8))
BANK_CAPITAL = 800_000
"""Minor units that all accounts of the bank have together."""
POCKETS = tuple(f"pocket-{number}" for number in range(6))


@dataclass(frozen=True)
class Workload:
    """What one caller does again and again, and the accounts that it does it on."""

    name: str
    step: Step
    accounts: Sequence[Account]
    callers: int
    entities: int = 1
    expires: bool = False
    is_bank: bool = False
    is_watched: bool = False
    """Whether somebody follows its entities all the time."""
    is_reconciled: bool = False
    """Whether an account of it is."""
    has_floor: bool = False
    """Whether porcupine can follow it: one account with a floor, and nothing but posted transactions."""


def transfer(key: str, debit: str, credit: str, amount: int, **fields: Any) -> Create:
    """The command of a transaction of two postings; POSTED unless `fields` say otherwise."""
    fields.setdefault("status", "POSTED")
    return Create(key, (Leg(debit, "DEBIT", "USD", amount), Leg(credit, "CREDIT", "USD", amount)), **fields)


async def bank(caller: Caller) -> None:
    """Random transfers, alone, in batches, in streams; reads of all accounts have a constant sum."""
    chance = caller.chance
    kind = chance.random()
    if kind < 0.35:
        await asyncio.gather(*(caller.write(_bank_transfer(caller), hurried=0.7) for _ in range(6)))
    elif kind < 0.55:
        await caller.write_stream([_bank_transfer(caller) for _ in range(chance.randint(5, 50))])
    elif kind < 0.85:
        await caller.write_batch([_bank_transfer(caller) for _ in range(chance.randint(20, 200))], atomic=False)
    elif kind < 0.99:
        await caller.look(BANK)
    else:
        await _list(caller)


def _bank_transfer(caller: Caller) -> Create:
    debit, credit = caller.chance.sample(BANK, 2)
    return transfer(caller.key(), debit, credit, caller.chance.randint(1, 9_999))


async def _list(caller: Caller) -> None:
    """Every transaction, while others are being written."""
    invoked = now()
    try:
        found = await list_all(caller.client, caller.story.name, page_size=caller.chance.randint(200, 1_000))
    except Refused as refused:
        if refused.code not in AMBIGUOUS:
            raise
    else:
        numbers = [transaction.create_sequence for transaction in found]
        caller.story.listings.append(Listing(invoked, now(), numbers, ends=True))


async def hot(caller: Caller) -> None:
    """In and out of one account with a floor at zero; several want all that is left at the same time."""
    chance = caller.chance
    kind = chance.random()
    if kind < 0.5:
        await caller.write(_in_or_out(caller), hurried=0.6)
    elif kind < 0.75:
        items = [_in_or_out(caller) for _ in range(chance.randint(2, 12))]
        await caller.write_batch(items, atomic=chance.random() < 0.4)
    elif kind < 0.95:
        amount = chance.randint(1_000, 60_000)
        await asyncio.gather(
            *(caller.write(transfer(caller.key(), "hot", chance.choice(POCKETS), amount)) for _ in range(4))
        )
    else:
        await caller.look(["hot", *POCKETS])


def _in_or_out(caller: Caller) -> Create:
    pocket = caller.chance.choice(POCKETS)
    debit, credit = (pocket, "hot") if caller.chance.random() < 0.5 else ("hot", pocket)
    return transfer(caller.key(), debit, credit, caller.chance.randint(1, 20_000))


async def same_key(caller: Caller) -> None:
    """The same call five times at once to both processes, now and then with an altered copy among them."""
    chance = caller.chance
    command = _in_or_out(caller)
    copies: list[Any] = [command] * 5
    if chance.random() < 0.3:
        copies += [transfer(command.key, "hot", POCKETS[0], chance.randint(1, 20_000))] * 2
    if chance.random() < 0.15:
        copies += [SetState(command.key, POCKETS[0], "OPEN")]
    chance.shuffle(copies)
    places = chance.sample(range(len(caller.clients)), len(caller.clients))
    clients = [caller.clients[places[index % len(places)]] for index in range(len(copies))]
    await asyncio.gather(*(caller.send(copy, client=client) for copy, client in zip(copies, clients, strict=True)))
    if chance.random() < 0.3:
        # Long after, when whoever kept it in memory may be gone.
        await asyncio.sleep(chance.uniform(0, 2))
        await caller.write(command)


async def life(caller: Caller) -> None:
    """A pending transaction, some with a deadline, that several want to end in different ways."""
    chance = caller.chance
    if chance.random() < 0.05:
        await caller.write(SetState(caller.key(), POCKETS[5], chance.choice(["FROZEN", "OPEN"])))
    numbers = []
    for _ in range(chance.randint(1, 3)):
        deadline = max(datetime.now(UTC), caller.story.latest) + timedelta(milliseconds=chance.randint(50, 1_500))
        command = transfer(
            caller.key(), "hot" if chance.random() < 0.5 else POCKETS[0], chance.choice(POCKETS[1:]),
            chance.randint(2, 9_000), status=chance.choice(["PENDING", "PENDING", "CLEARED"]),
            expire=deadline.replace(microsecond=0) + timedelta(milliseconds=deadline.microsecond // 1_000)
            if chance.random() < 0.4 else None,
        )  # fmt: skip
        answer = await caller.write(command, hurried=0.2)
        if answer is not None and not isinstance(answer, Refused):
            numbers.append((answer.transaction.create_sequence, command.legs[0].amount))
    if not numbers:
        return
    if chance.random() < 0.2:
        await asyncio.sleep(chance.uniform(0, 1.5))
    await asyncio.gather(*(caller.write(_ending(caller, numbers), hurried=0.3) for _ in range(3)))
    if chance.random() < 0.3:
        await caller.look(["hot", *POCKETS])


def _ending(caller: Caller, numbers: Sequence[tuple[int, int]]) -> Any:
    chance, key = caller.chance, caller.key()
    number, amount = chance.choice(numbers)
    kind = chance.random()
    if kind < 0.3:
        return Approve(key, tuple(Approval(each) for each, _ in numbers))
    if kind < 0.5:
        return Approve(key, (Approval(number, chance.randint(1, amount - 1)),))
    if kind < 0.7:
        return Clear(key, number)
    return Void(key, number)


async def reversals(caller: Caller) -> None:
    """A posted transaction, and several who reverse it at once, wholly and in part."""
    chance = caller.chance
    amount = chance.randint(10, 9_000)
    answer = await caller.write(transfer(caller.key(), *chance.sample(POCKETS, 2), amount), hurried=0.2)
    if answer is None or isinstance(answer, Refused):
        return
    number = answer.transaction.create_sequence
    parts = [None if chance.random() < 0.3 else chance.randint(1, amount) for _ in range(4)]
    # A part that is all of it would be the same wish as no part at all.
    commands = [Reverse(caller.key(), number, None if part == amount else part) for part in parts]
    await asyncio.gather(*(caller.write(command, hurried=0.3) for command in commands))


async def poison(caller: Caller) -> None:
    """Batches and single calls, some of which the database has been told to refuse: the others must not notice."""
    chance = caller.chance
    count = chance.randint(1, 20)
    spoilt = set(chance.sample(range(count), min(count, chance.choice([0, 0, 0, 1, 2]))))
    items = [
        transfer(
            caller.key(), *chance.sample(POCKETS, 2), chance.randint(1, 500),
            description=POISON if index in spoilt else "",
        )
        for index in range(count)
    ]  # fmt: skip
    if count < 4:
        await asyncio.gather(*(caller.write(item) for item in items))
    else:
        await caller.write_batch(items, atomic=False)


def _account(account_id: str, kind: str = "LIABILITY", floor: int | None = None) -> Account:
    return Account(account_id, kind, limits=() if floor is None else (Limit("USD", floor=floor),))


_BANK_ACCOUNTS = (_account("mint", "ASSET"), *(_account(each) for each in BANK))
_POCKET_ACCOUNTS = tuple(_account(each, "ASSET") for each in POCKETS)
_HOT_ACCOUNTS = (_account("hot", floor=0), *_POCKET_ACCOUNTS)

WORKLOADS = (
    Workload("bank", bank, _BANK_ACCOUNTS, callers=4, entities=2, is_bank=True),
    Workload("hot", hot, _HOT_ACCOUNTS, callers=4, entities=2, is_watched=True, has_floor=True),
    Workload("same-key", same_key, _HOT_ACCOUNTS, callers=3),
    Workload("life", life, _HOT_ACCOUNTS, callers=4, expires=True, is_watched=True),
    Workload("reversals", reversals, _POCKET_ACCOUNTS, callers=3, is_watched=True),
    Workload("poison", poison, _POCKET_ACCOUNTS, callers=2),
    Workload("desk", desk.reconciliation, desk.ACCOUNTS, callers=3, is_watched=True, is_reconciled=True),
)
