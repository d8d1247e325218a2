"""Checkpoints and proofs as messages."""

from __future__ import annotations

from typing import overload

from ledger.v1 import proof_pb2 as pb
from ledger_service.application import proving
from ledger_service.domain.sealing.checkpoint import Checkpoint, key_id_of


@overload
def checkpoint(found: Checkpoint) -> pb.Checkpoint: ...
@overload
def checkpoint(found: Checkpoint | None) -> pb.Checkpoint | None: ...
def checkpoint(found: Checkpoint | None) -> pb.Checkpoint | None:
    """A signed head; None stays None."""
    if found is None:
        return None
    head = found.head
    message = pb.Checkpoint(
        entity_id=head.entity_id,
        sequence=head.sequence,
        root=head.root,
        key_id=key_id_of(found.public_key),
        public_key=found.public_key,
        signature=found.signature,
    )
    message.recorded_time.FromMicroseconds(head.recorded_time)
    return message


def transaction(proof: proving.TransactionProof) -> pb.TransactionProof:
    """Of inclusion."""
    return pb.TransactionProof(**proof._asdict())


def consistency(proof: proving.ConsistencyProof) -> pb.ConsistencyProof:
    """Of two histories."""
    return pb.ConsistencyProof(**proof._asdict())
