"""The use cases of tamper evidence: signed heads of histories, and proofs about what stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from ledger_service.application.access import Principal, authorize
from ledger_service.application.directory import Directory
from ledger_service.application.ports import ReadStore
from ledger_service.application.reads import transaction_no, transaction_not_found
from ledger_service.application.signing import CheckpointKey
from ledger_service.domain.account import Entity
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.sealing.checkpoint import Checkpoint, Head
from ledger_service.domain.sealing.record import microseconds_of
from ledger_service.domain.sealing.tree import Range, consistency_ranges, inclusion_ranges


class HistoryStore(Protocol):
    """Reads of an entity's history tree. All raise Unavailable."""

    async def sealed_up_to(self, entity_no: int) -> int:
        """The entity's last sealed event."""
        ...

    async def recorded_time(self, entity_no: int, sequence: int) -> datetime:
        """When an event of the history was recorded."""
        ...

    async def record(self, entity_no: int, sequence: int) -> bytes:
        """The canonical bytes of an event of the history."""
        ...

    async def range_hashes(self, entity_no: int, ranges: Sequence[Range]) -> list[bytes]:
        """The roots over these ranges of leaves, all within the history."""
        ...


class TransactionProof(NamedTuple):
    """That the event at `sequence`, which made this revision, stands in the tree up to `tree_sequence`."""

    entity_id: str
    transaction_id: str
    revision: int
    sequence: int
    record: bytes
    tree_sequence: int
    path: list[bytes]


class ConsistencyProof(NamedTuple):
    """That the history up to `from_sequence` is the beginning of the one up to `to_sequence`."""

    entity_id: str
    from_sequence: int
    to_sequence: int
    path: list[bytes]


class Proving:
    """What callers may have signed and proved."""

    def __init__(
        self, history: HistoryStore, store: ReadStore, directory: Directory, key: CheckpointKey | None
    ) -> None:
        """`key` None: nothing is signed, and proofs come without a checkpoint."""
        self._history = history
        self._store = store
        self._directory = directory
        self._key = key

    async def checkpoint(self, principal: Principal, entity_id: str, at_sequence: int) -> Checkpoint:
        """The head at a sequence, 0 the newest. Raises LedgerError CHECKPOINT_KEY_MISSING, ENTITY_NOT_FOUND."""
        entity = await self._enter(principal, "GetCheckpoint", entity_id)
        if self._key is None:
            raise LedgerError(
                Reason.CHECKPOINT_KEY_MISSING,
                "this server signs no checkpoints; its operators make a key with 'ledger-service checkpoint-key' and "
                "name its file in LEDGER_CHECKPOINT_KEY",
            )
        return await self._signed(self._key, entity, await self._up_to(entity, at_sequence, "at_sequence"))

    async def transaction(
        self, principal: Principal, entity_id: str, transaction_id: str, revision: int, at_sequence: int
    ) -> tuple[TransactionProof, Checkpoint | None]:
        """A revision (0: the newest) in the tree up to a sequence (0: the newest). Raises LedgerError
        TRANSACTION_NOT_FOUND.
        """
        entity = await self._enter(principal, "GetTransactionProof", entity_id)
        number = transaction_no(entity, transaction_id)
        if revision < 0:
            raise invalid("revision", "must be a revision, 1 or more; 0 means the newest")
        up_to = await self._up_to(entity, at_sequence, "at_sequence")
        found = await self._store.transactions(entity.entity_no, [number])
        if not found:
            raise transaction_not_found(transaction_id)
        if revision > found[0].revision:
            raise invalid("revision", f"the transaction has {found[0].revision} of them")
        if revision:
            found = await self._store.revisions(entity.entity_no, number, revision - 1, 1)
        sequence = found[0].sequence
        if at_sequence and sequence > at_sequence:
            raise invalid("at_sequence", f"the revision was recorded at sequence {sequence}, after it")
        # An event that came after the tree's end was looked up.
        up_to = max(up_to, sequence)
        path = await self._history.range_hashes(entity.entity_no, inclusion_ranges(sequence - 1, up_to))
        record = await self._history.record(entity.entity_no, sequence)
        proof = TransactionProof(
            entity.entity_id, transaction_id, found[0].revision, sequence, record, up_to, path
        )  # fmt: skip
        return proof, await self._signed_if_can(entity, up_to)

    async def consistency(
        self, principal: Principal, entity_id: str, from_sequence: int, to_sequence: int
    ) -> tuple[ConsistencyProof, Checkpoint | None]:
        """Between two sequences; `to_sequence` 0: up to the newest event."""
        entity = await self._enter(principal, "GetConsistencyProof", entity_id)
        if from_sequence < 1:
            raise invalid("from_sequence", "must be a sequence of the entity, 1 or more")
        up_to = await self._up_to(entity, to_sequence, "to_sequence")
        if from_sequence > up_to:
            raise invalid("from_sequence", f"must not lie after the other one, which is {up_to}")
        path = await self._history.range_hashes(entity.entity_no, consistency_ranges(from_sequence, up_to))
        proof = ConsistencyProof(entity.entity_id, from_sequence, up_to, path)
        return proof, await self._signed_if_can(entity, up_to)

    async def _enter(self, principal: Principal, method: str, entity_id: str) -> Entity:
        authorize(principal, method, entity_id)
        return await self._directory.find(entity_id)

    async def _up_to(self, entity: Entity, asked: int, field: str) -> int:
        sealed = await self._history.sealed_up_to(entity.entity_no)
        if not 0 <= asked <= sealed:
            raise invalid(
                field, f"must be a sequence from 1 to {sealed}, which the entity has come to, or 0 for that one"
            )
        return asked or sealed

    async def _signed_if_can(self, entity: Entity, sequence: int) -> Checkpoint | None:
        return None if self._key is None else await self._signed(self._key, entity, sequence)

    async def _signed(self, key: CheckpointKey, entity: Entity, sequence: int) -> Checkpoint:
        [root] = await self._history.range_hashes(entity.entity_no, [(0, sequence)])
        recorded = await self._history.recorded_time(entity.entity_no, sequence)
        return key.sign(Head(entity.entity_id, sequence, root, microseconds_of(recorded)))
