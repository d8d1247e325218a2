"""The endpoints of checkpoints and proofs."""

from __future__ import annotations

from ledger_service.domain.errors import Reason
from ledger_service.gateway import proofs
from ledger_service.gateway.endpoint import Endpoint, Good, Parameter
from ledger_service.gateway.parameters import ENTITY_IN_PATH, ENTITY_OPTIONAL, TRANSACTION_IN_PATH
from ledger_service.gateway.schemas import MAX_INT64, always
from ledger_service.gateway.shapes import Integer, ListOf, Member, Object, Text

_TAG = "Proofs"
_HASH = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
_OTHER_HASH = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_SEQUENCE = Integer(1, MAX_INT64)
_HEX = Text()

_EXAMPLE_CHECKPOINT = {
    "entityId": "entity_012jkl",
    "sequence": 8,
    "root": _HASH,
    "recordedTime": "2023-05-15T14:22:00.250000Z",
    "keyId": "3f1c9a7e2b40d5e6",
    "publicKey": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "signature": _HASH + _OTHER_HASH,
}
CHECKPOINT = Object(
    (
        always("entityId", Text(), "Whose history."),
        always("sequence", _SEQUENCE, "Up to which event it reaches: the size of the tree."),
        always("root", _HEX, "SHA-256 root of the tree, hexadecimal."),
        always("recordedTime", Text(), "When that event was recorded, with six decimals, as it is signed."),
        always("keyId", _HEX, "The first 16 hexadecimal digits of the SHA-256 of the public key."),
        always("publicKey", _HEX, "Ed25519 public key, hexadecimal. Compare it with one that came by another way."),
        always("signature", _HEX, "Ed25519 signature, hexadecimal."),
    ),
    name="Checkpoint",
    description="The head of an entity's history, signed: whoever keeps it can hold the ledger to it later.",
    example=_EXAMPLE_CHECKPOINT,
)
_EXAMPLE_PROOF = {
    "entityId": "entity_012jkl",
    "transactionId": "txn_00000g00000400019fwq1qv0n8",
    "revision": 1,
    "sequence": 4,
    "record": "AQAAAAcAAAAAAAAAKg==",
    "treeSequence": 8,
    "path": [_HASH, _OTHER_HASH, _HASH],
}
TRANSACTION_PROOF = Object(
    (
        always("entityId", Text(), "Whose history."),
        always("transactionId", Text(), "The transaction."),
        always("revision", Integer(1, MAX_INT64), "Which of its revisions."),
        always("sequence", _SEQUENCE, "The event that made this revision."),
        always("record", Text(), "What was committed, in canonical bytes, base64."),
        always("treeSequence", _SEQUENCE, "Up to which sequence the tree reaches that this is a proof for."),
        always("path", ListOf(_HEX), "The subtrees beside the way from the leaf to the root, hexadecimal."),
    ),
    name="TransactionProof",
    description="That an event stands in the history of its entity, word for word. clients/verifier checks it offline.",
    example=_EXAMPLE_PROOF,
)
_EXAMPLE_CONSISTENCY = {"entityId": "entity_012jkl", "fromSequence": 4, "toSequence": 8, "path": [_OTHER_HASH]}
CONSISTENCY_PROOF = Object(
    (
        always("entityId", Text(), "Whose history."),
        always("fromSequence", _SEQUENCE, "The shorter one."),
        always("toSequence", _SEQUENCE, "The longer one."),
        always("path", ListOf(_HEX), "Hexadecimal; empty where both are the same."),
    ),
    name="ConsistencyProof",
    description="That one history is the beginning of another.",
    example=_EXAMPLE_CONSISTENCY,
)
_SIGNED = Member("checkpoint", CHECKPOINT, "The head that it is for; absent where the server has no key to sign with.")

_AT = Parameter("atSequence", _SEQUENCE, "The history up to this sequence; by default all of it.", 8)

PROOFS = (
    Endpoint(
        "GET", "/v1/entities/{entityId}/checkpoint", "GetCheckpoint", _TAG, "Sign the head of an entity's history",
        proofs.checkpoint,
        Good(
            200, "The head.", Object((always("checkpoint", CHECKPOINT, "Signed."),)),
            {"checkpoint": _EXAMPLE_CHECKPOINT},
        ),
        "To be kept outside of the ledger: `ledger-service verify --checkpoint` holds the database to it.",
        parameters=(ENTITY_IN_PATH, _AT),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.CHECKPOINT_KEY_MISSING),
        fields={"at_sequence": "atSequence"},
    ),
    Endpoint(
        "GET", "/v1/entities/{entityId}/consistency-proof", "GetConsistencyProof", _TAG,
        "Prove that nothing was rewritten between two sequences", proofs.consistency,
        Good(
            200, "The proof.", Object((always("proof", CONSISTENCY_PROOF, "To be checked with both roots."), _SIGNED)),
            {"proof": _EXAMPLE_CONSISTENCY, "checkpoint": _EXAMPLE_CHECKPOINT},
        ),
        parameters=(
            ENTITY_IN_PATH,
            Parameter("fromSequence", _SEQUENCE, "The shorter history.", 4, required=True),
            Parameter("toSequence", _SEQUENCE, "The longer one; by default all of it.", 8),
        ),
        reasons=(Reason.ENTITY_NOT_FOUND,),
        fields={"from_sequence": "fromSequence", "to_sequence": "toSequence"},
    ),
    Endpoint(
        "GET", "/v1/transactions/{transactionId}/proof", "GetTransactionProof", _TAG,
        "Prove that a transaction stands in the history", proofs.transaction,
        Good(
            200, "The proof.", Object((always("proof", TRANSACTION_PROOF, "To be checked with the root."), _SIGNED)),
            {"proof": _EXAMPLE_PROOF, "checkpoint": _EXAMPLE_CHECKPOINT},
        ),
        parameters=(
            TRANSACTION_IN_PATH,
            ENTITY_OPTIONAL,
            Parameter("revision", Integer(1, 2**31 - 1), "Which revision; by default the newest.", 1),
            _AT,
        ),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.TRANSACTION_NOT_FOUND),
        fields={"at_sequence": "atSequence"},
    ),
)  # fmt: skip
