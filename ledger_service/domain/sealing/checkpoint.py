"""A signed head: what somebody keeps outside of the database, to hold the ledger to it later."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import NamedTuple

from ledger_service.domain.sealing.record import EPOCH
from ledger_service.domain.sealing.tree import HASH_BYTES

SIGNATURE_BYTES = 64
KEY_BYTES = 32


class Head(NamedTuple):
    """An entity's history tree: its size, which is the sequence it reaches to, its root, and when the last event in it
    was recorded, in microseconds since 1970."""

    entity_id: str
    sequence: int
    root: bytes
    recorded_time: int


class Checkpoint(NamedTuple):
    """A head with its Ed25519 signature over `signed_text`."""

    head: Head
    public_key: bytes
    signature: bytes


def signed_text(head: Head) -> bytes:
    """What is signed: what it is for, and four lines of ASCII; an entity's id has no line break."""
    if len(head.root) != HASH_BYTES:
        raise ValueError(f"a root has {HASH_BYTES} bytes, not {len(head.root)}")
    return (
        f"ledger-service checkpoint v1\n{head.entity_id}\n{head.sequence}\n{head.root.hex()}\n"
        f"{time_text(head.recorded_time)}\n"
    ).encode()


def time_text(microseconds: int) -> str:
    """A time as it is signed and written, always with six decimals: 2026-03-01T12:00:00.250000Z."""
    return (EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def key_id_of(public_key: bytes) -> str:
    """A short name of a public key: the first 16 hexadecimal digits of its SHA-256."""
    return sha256(public_key).hexdigest()[:16]
