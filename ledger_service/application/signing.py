"""Checkpoints are signed with Ed25519: a key that is nowhere in the database makes what stands there provable."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ledger_service.domain.sealing.checkpoint import KEY_BYTES, Checkpoint, Head, key_id_of, signed_text


class CheckpointKey:
    """The key of this service."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        """32 bytes."""

    @classmethod
    def generate(cls) -> CheckpointKey:
        """A new one, from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, data: bytes) -> CheckpointKey:
        """Raises ValueError for what is no Ed25519 private key without a password."""
        try:
            key = load_pem_private_key(data, None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"no private key that can be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the key is of another kind than Ed25519")  # noqa: TRY004  # the file's content is wrong
        return cls(key)

    def to_pem(self) -> bytes:
        """As a file holds it: PKCS #8, unencrypted."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def key_id(self) -> str:
        """A short name of it."""
        return key_id_of(self.public_key)

    def sign(self, head: Head) -> Checkpoint:
        """The same head gives the same checkpoint each time."""
        return Checkpoint(head, self.public_key, self._key.sign(signed_text(head)))


def is_signed(checkpoint: Checkpoint) -> bool:
    """Whether the signature is that of the checkpoint's own public key over its head."""
    if len(checkpoint.public_key) != KEY_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(checkpoint.public_key).verify(
            checkpoint.signature, signed_text(checkpoint.head)
        )
    except InvalidSignature:
        return False
    return True
