"""What reconciliation writes into the ledger itself, through the ordinary posting path: write-offs, and CLEARED."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger_service.application.access import Principal, Scope, require
from ledger_service.application.answers import Answers
from ledger_service.application.committer import Committer
from ledger_service.application.intake.fields import RawMoney, RawPosting
from ledger_service.application.intake.transactions import clear_transaction, create_transaction
from ledger_service.application.reconciling.records import Context, Failure
from ledger_service.domain.account import Side
from ledger_service.domain.commands import ClearTransaction, CreateTransaction, Unit
from ledger_service.domain.decide import Applied
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.money import Currencies
from ledger_service.domain.transaction import Status

_AT_ONCE = 500
"""Transactions of one unit: others get their turn in between."""
_POSTINGS_OF_A_CHANGE = 4
MAX_FAILURES = 1_000
_KEY_BYTES = 8
"""Refusals of one kind that an answer tells."""


class ToWriteOff(NamedTuple):
    """A difference that is to be booked: `amount` is what the reconciled account changes by."""

    match: int
    account_id: str
    description: str
    amount: int
    day: date


class Settling:
    """Books and clears for a caller, each transaction on its own."""

    def __init__(self, committer: Committer, answers: Answers, currencies: Currencies) -> None:
        self._committer = committer
        self._answers = answers
        self._currencies = currencies

    async def write_off(
        self, principal: Principal, context: Context, wanted: Sequence[ToWriteOff]
    ) -> tuple[dict[int, int], list[Failure]]:
        """Book them: numbers of the transactions by match, and those that were refused.

        A write-off of a match has one key for ever: booked twice it is booked once. Raises LedgerError
        PERMISSION_DENIED without the scope `approve`: it is POSTED at once.
        """
        booked: dict[int, int] = {}
        failures: list[Failure] = []
        if wanted:
            require(principal, Scope.APPROVE)
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            commands = [self._command(principal, context, one) for one in some]
            unit = Unit(context.entity.entity_no, list(commands), postings=2 * len(commands))
            answers = await self._answers.complete(context.entity, await self._committer.submit(unit))
            for one, answer in zip(some, answers, strict=True):
                if isinstance(answer, Applied):
                    booked[one.match] = answer.transactions[0].transaction_no
                else:
                    failures.append(_failure(one.match, 0, answer.error))
        # All of them: whose write-off is not booked must not be confirmed. Telling has a limit.
        return booked, failures

    def _command(self, principal: Principal, context: Context, one: ToWriteOff) -> CreateTransaction:
        grows = one.amount > 0
        side = context.account.normal_side if grows else _other(context.account.normal_side)
        money = RawMoney(context.currency, context.decimal(abs(one.amount)))
        name = f"{context.account.account_no}-{context.currency}-{one.match}"
        # Which nobody else can take first, not knowing the entity's key.
        chance = hashlib.blake2b(name.encode(), key=context.entity.id_key, digest_size=_KEY_BYTES).hexdigest()
        return create_transaction(
            self._currencies,
            principal.name,
            idempotency_key=f"reconciliation-write-off-{name}-{chance}",
            postings=(
                RawPosting(context.account.account_id, side, money),
                RawPosting(one.account_id, _other(side), money),
            ),
            status=Status.POSTED,
            # At noon: the same day in whatever zone one looks at it from nearby.
            effective_time=datetime.combine(one.day, time(12), ZoneInfo(context.entity.time_zone)),
            description=one.description,
            reference=f"write-off-{name}",
        )

    async def clear(
        self, principal: Principal, context: Context, transactions: Mapping[int, int]
    ) -> tuple[int, list[Failure]]:
        """Set PENDING transactions (match by number) CLEARED: how many were, and what was refused."""
        cleared, failures = 0, []
        numbers = sorted(transactions)
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            commands = [self._clearing(principal, context, number) for number in some]
            unit = Unit(context.entity.entity_no, list(commands), postings=_POSTINGS_OF_A_CHANGE * len(commands))
            answers = await self._answers.complete(context.entity, await self._committer.submit(unit))
            for number, answer in zip(some, answers, strict=True):
                if isinstance(answer, Applied):
                    cleared += 1
                elif answer.error.reason is not Reason.INVALID_STATUS:
                    # Of another status: somebody has cleared or approved it meanwhile, or ended it, which shows later.
                    failures.append(_failure(transactions[number], number, answer.error))
        return cleared, failures[:MAX_FAILURES]

    def _clearing(self, principal: Principal, context: Context, number: int) -> ClearTransaction:
        text = context.public_id(number)
        command = clear_transaction(principal.name, idempotency_key=text, transaction_id=text, expected_revision=0)
        # Without a key: clearing what is CLEARED changes nothing, and a refusal need not be remembered.
        command.key = None
        return command


def _failure(match: int, transaction_no: int, error: LedgerError) -> Failure:
    return Failure(match, transaction_no, error.reason.value, error.message)


def _other(side: int) -> Side:
    return Side.CREDIT if side == Side.DEBIT else Side.DEBIT
