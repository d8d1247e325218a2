"""Checkpoints and proofs as JSON: what REST answers, what files hold, and what clients/verifier reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ledger_service.application.proving import ConsistencyProof, TransactionProof
from ledger_service.domain.sealing.checkpoint import Checkpoint, Head, key_id_of, time_text
from ledger_service.domain.sealing.record import microseconds_of

FORMAT = "ledger-service checkpoints v1"
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Of a file of checkpoints: some 150,000 of them."""


class NotCheckpoints(ValueError):
    """A file that holds something else; the message says what."""


def checkpoint_object(checkpoint: Checkpoint) -> dict[str, Any]:
    """A signed head; hashes and signature in hexadecimal, the time as it is signed."""
    head = checkpoint.head
    return {
        "entityId": head.entity_id,
        "sequence": head.sequence,
        "root": head.root.hex(),
        "recordedTime": time_text(head.recorded_time),
        "keyId": key_id_of(checkpoint.public_key),
        "publicKey": checkpoint.public_key.hex(),
        "signature": checkpoint.signature.hex(),
    }


def transaction_object(proof: TransactionProof) -> dict[str, Any]:
    """A proof of inclusion; the record in base64."""
    return {
        "entityId": proof.entity_id,
        "transactionId": proof.transaction_id,
        "revision": proof.revision,
        "sequence": proof.sequence,
        "record": base64.b64encode(proof.record).decode(),
        "treeSequence": proof.tree_sequence,
        "path": [each.hex() for each in proof.path],
    }


def consistency_object(proof: ConsistencyProof) -> dict[str, Any]:
    """A proof that one history is the beginning of another."""
    return {
        "entityId": proof.entity_id,
        "fromSequence": proof.from_sequence,
        "toSequence": proof.to_sequence,
        "path": [each.hex() for each in proof.path],
    }


def write_checkpoints(checkpoints: Iterable[Checkpoint]) -> bytes:
    """A file of checkpoints."""
    found = {"format": FORMAT, "checkpoints": [checkpoint_object(each) for each in checkpoints]}
    return json.dumps(found, indent=1).encode() + b"\n"


def read_checkpoints(data: bytes) -> list[Checkpoint]:
    """The checkpoints of a file. Raises NotCheckpoints. Signatures are not looked at."""
    try:
        found = json.loads(data)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise NotCheckpoints(f"its format is not {FORMAT!r}")
        return [_checkpoint(each) for each in found["checkpoints"]]
    except NotCheckpoints:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotCheckpoints(f"it can't be read: {error!r}") from error


def _checkpoint(found: dict[str, Any]) -> Checkpoint:
    recorded = microseconds_of(datetime.fromisoformat(found["recordedTime"]))
    head = Head(str(found["entityId"]), int(found["sequence"]), bytes.fromhex(found["root"]), recorded)
    checkpoint = Checkpoint(head, bytes.fromhex(found["publicKey"]), bytes.fromhex(found["signature"]))
    if head.sequence < 1 or checkpoint_object(checkpoint) != found:
        # What is signed must be what is read, to the letter.
        raise NotCheckpoints(
            f"the checkpoint of entity {head.entity_id} at {head.sequence} is not written as it must be"
        )
    return checkpoint
