"""The requests of the load: made from a serialized pattern with holes, so that making them costs next to nothing."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

from ledger.v1 import money_pb2
from ledger.v1 import transaction_service_pb2 as pb

_POSTED = 3
_ENTITY, _KEY, _DEBIT, _CREDIT, _AMOUNT = (
    "entity-@@@@", "key-@@@@@@@@-@@@@@@@@@@", "account-@@@@1", "account-@@@@2", "@@@@@.00",
)  # fmt: skip
DESCRIPTION = "benchmark"
ACTOR = "bootstrap"
"""Who posts: the first administrator."""


def entity_id(number: int) -> str:
    """Of an entity of the load; all are equally long."""
    return f"entity-{number:04d}"


def account_id(number: int) -> str:
    """Of an account of the load, the same in each entity; all are equally long."""
    return f"account-{number:05d}"


@dataclass(frozen=True, slots=True)
class Mix:
    """What is posted: so many entities, so many accounts in each; `hot`: account 0 is a leg of every transaction."""

    entities: int = 1
    accounts: int = 10_000
    hot: bool = False

    def describe(self) -> str:
        """The skew, to be stated with the figures."""
        where = "one entity" if self.entities == 1 else f"{self.entities:,} entities, uniform"
        skew = "one leg always the same account" if self.hot else "uniform"
        return f"{where}; {self.accounts:,} accounts in each, {skew}"

    def as_json(self) -> dict[str, Any]:
        """For a load process."""
        return asdict(self)


def transfer(entity: str, key: str, debit: str, credit: str, amount: str) -> pb.CreateTransactionRequest:
    """A posted transaction of two postings."""
    return pb.CreateTransactionRequest(
        entity_id=entity,
        idempotency_key=key,
        debit_account_id=debit,
        credit_account_id=credit,
        amount=money_pb2.Money(currency="USD", amount=amount),
        status=_POSTED,  # type: ignore[arg-type]
        description=DESCRIPTION,
    )


class Requests:
    """Serialized requests, each with a key of its own. `seed` (a number below 2^32) makes them repeatable."""

    def __init__(self, mix: Mix, seed: int) -> None:
        self._mix = mix
        self._seed = seed
        self._chance = random.Random(seed)  # repeatable, not secret
        self._number = 0
        whole = transfer(_ENTITY, _KEY, _DEBIT, _CREDIT, _AMOUNT).SerializeToString()
        self._single = _pattern(whole)
        self._item = _pattern(
            pb.BatchCreateTransactionsRequest(requests=[pb.CreateTransactionRequest.FromString(whole)])
        )
        self._streamed = _pattern(
            pb.StreamCreateTransactionsRequest(request=pb.CreateTransactionRequest.FromString(whole))
        )

    def single(self) -> bytes:
        """A CreateTransactionRequest."""
        return self._single % self._values(self._entity())

    def streamed(self) -> bytes:
        """A StreamCreateTransactionsRequest."""
        return self._streamed % self._values(self._entity())

    def batch(self, size: int, entity: int) -> bytes:
        """A BatchCreateTransactionsRequest of one entity."""
        name = entity_id(entity).encode()
        items = b"".join([self._item % self._values(name) for _ in range(size)])
        return pb.BatchCreateTransactionsRequest(entity_id=name.decode()).SerializeToString() + items

    def _entity(self) -> bytes:
        return b"entity-%04d" % int(self._chance.random() * self._mix.entities)

    def _values(self, entity: bytes) -> tuple[bytes | int, ...]:
        chance, accounts = self._chance.random, self._mix.accounts
        self._number += 1
        one = 0 if self._mix.hot else int(chance() * accounts)
        # Any but the first.
        other = (one + 1 + int(chance() * (accounts - 1))) % accounts
        if self._mix.hot and self._number % 2:
            one, other = other, one
        return entity, self._seed, self._number, one, other, 10_000 + int(chance() * 90_000)


def _pattern(message: Any) -> bytes:  # noqa: ANN401  # bytes, or any message
    raw: bytes = message if isinstance(message, bytes) else message.SerializeToString()
    raw = raw.replace(b"%", b"%%")
    for hole, filling in (
        (_ENTITY, b"%b"), (_KEY, b"key-%08x-%010d"), (_DEBIT, b"account-%05d"), (_CREDIT, b"account-%05d"),
        (_AMOUNT, b"%d.00"),
    ):  # fmt: skip
        before, hole_bytes, after = raw.partition(hole.encode())
        if not hole_bytes or hole.encode() in after:
            raise AssertionError(f"{hole} must occur once, in the order of the fields")
        raw = before + filling + after
    return raw
