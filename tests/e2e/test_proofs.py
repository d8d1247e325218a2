"""Proofs and checkpoints as callers get them, checked by the verifier that stands alone."""

from __future__ import annotations

import base64
import copy
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import proof_pb2, transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions
from ledger_service.application.signing import CheckpointKey
from ledger_service.domain.sealing.record import read_record
from ledger_service.domain.sealing.tree import extends, includes, leaf_hash
from tests.helpers.builders import ASSET, PENDING, new_account, new_entity, sequence_of, transfer
from tests.helpers.rest import rest_client
from tests.helpers.rpc import refusal
from tests.helpers.servers import TOKEN, checkpoint_key_file, cloned, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType

    from ledger_service.storage.embedded import EmbeddedPostgres
    from tests.helpers.servers import Service

ROOT = Path(__file__).resolve().parents[2]
VERIFIER = ROOT / "clients" / "verifier" / "ledger_verifier.py"


def load_verifier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ledger_verifier", VERIFIER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verifier = load_verifier()


def public_key() -> str:
    return CheckpointKey.from_pem(checkpoint_key_file().read_bytes()).public_key.hex()


class World:
    """An entity with a history of 200 events, in commits of many sizes."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.entity = ""
        self.ids: list[str] = []
        self.pending = ""

    async def make(self) -> None:
        client = self.service.client
        self.entity = await new_entity(client)
        await new_account(client, self.entity, "cash", ASSET)
        await new_account(client, self.entity, "wallet")
        for size in (1, 1, 2, 60, 1, 64, 3, 60):
            requests = [transfer(self.entity, "cash", "wallet", "1.00", description="Café") for _ in range(size)]
            batch = transactions.BatchCreateTransactionsRequest(entity_id=self.entity, requests=requests)
            answer = await client.transactions.BatchCreateTransactions(batch)
            self.ids += [result.response.transaction.id for result in answer.results]
        held = await client.transactions.CreateTransaction(
            transfer(self.entity, "cash", "wallet", "2.00", status=PENDING)
        )
        self.pending = held.transaction.id
        approval = transactions.ApproveTransactionsRequest(entity_id=self.entity, idempotency_key="approve")
        approval.approvals.add(transaction_id=self.pending)
        await client.transactions.ApproveTransactions(approval)

    async def proof(self, transaction_id: str, **more: Any) -> transactions.GetTransactionProofResponse:
        request = transactions.GetTransactionProofRequest(entity_id=self.entity, transaction_id=transaction_id, **more)
        return await self.service.client.transactions.GetTransactionProof(request)

    async def checkpoint(self, at: int = 0) -> proof_pb2.Checkpoint:
        request = entities.GetCheckpointRequest(entity_id=self.entity, at_sequence=at)
        return (await self.service.client.entities.GetCheckpoint(request)).checkpoint

    async def consistency(self, older: int, newer: int = 0) -> entities.GetConsistencyProofResponse:
        request = entities.GetConsistencyProofRequest(entity_id=self.entity, from_sequence=older, to_sequence=newer)
        return await self.service.client.entities.GetConsistencyProof(request)


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[World]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        made = World(service)
        await made.make()
        yield made


async def test_every_transaction_can_be_proved(world: World) -> None:
    head = await world.checkpoint()
    assert head.sequence == await sequence_of(world.service.client, world.entity) == 197
    for transaction_id in [*world.ids, world.pending]:
        answer = await world.proof(transaction_id)
        proof = answer.proof
        assert answer.checkpoint == head
        assert includes(head.root, head.sequence, proof.sequence - 1, leaf_hash(proof.record), proof.path)
        assert read_record(proof.record).event["sequence"] == proof.sequence


async def test_for_a_checkpoint_that_was_kept(world: World) -> None:
    for at in (5, 63, 64, 65, 100, 128, 190):
        kept = await world.checkpoint(at)
        answer = await world.proof(world.ids[0], at_sequence=at)
        assert answer.proof.tree_sequence == at
        assert includes(kept.root, at, answer.proof.sequence - 1, leaf_hash(answer.proof.record), answer.proof.path)
        assert answer.checkpoint == kept


async def test_each_revision_has_its_own_event(world: World) -> None:
    first, second = await world.proof(world.pending, revision=1), await world.proof(world.pending, revision=2)
    assert (await world.proof(world.pending)).proof == second.proof
    assert second.proof.sequence == first.proof.sequence + 1
    said = read_record(second.proof.record)
    assert said.event["status"] == transaction_pb2.TRANSACTION_STATUS_POSTED
    assert [entry["amount"] for entry in said.entries] == [200, 200]
    request = transactions.GetTransactionProofRequest(
        entity_id=world.entity, transaction_id=world.pending, at_sequence=first.proof.sequence
    )
    refused = await refusal(world.service.client.transactions.GetTransactionProof(request))
    assert (refused.reason, refused.metadata["field"]) == ("INVALID_ARGUMENT", "at_sequence")


async def test_one_history_is_the_beginning_of_another(world: World) -> None:
    for older, newer in ((1, 2), (1, 197), (63, 64), (64, 128), (64, 129), (70, 197), (128, 197), (197, 197), (196, 0)):
        answer = await world.consistency(older, newer)
        first, second = await world.checkpoint(older), await world.checkpoint(newer)
        assert answer.checkpoint == second
        assert extends(older, first.root, second.sequence, second.root, answer.proof.path)


async def test_a_checkpoint_is_the_same_each_time(world: World) -> None:
    assert await world.checkpoint(50) == await world.checkpoint(50)
    assert (await world.checkpoint(50)).public_key.hex() == public_key()


async def test_without_a_key_there_are_proofs_but_no_checkpoints(database: str) -> None:
    async with serving(database, checkpoint_key=None) as service:
        world = World(service)
        await world.make()
        answer = await world.proof(world.ids[0])
        assert not answer.HasField("checkpoint")
        assert answer.proof.path
        assert not (await world.consistency(3)).HasField("checkpoint")
        refused = await refusal(world.checkpoint())
        assert refused.reason == "CHECKPOINT_KEY_MISSING"
        assert "LEDGER_CHECKPOINT_KEY" in refused.message


# The verifier, on what REST answers.


class Files:
    """Writes what is given to the verifier, and runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, proof: Any, *checkpoints: Any, key: str = "") -> int:
        names = []
        for number, content in enumerate((proof, *checkpoints)):
            name = self.folder / f"{number}.json"
            name.write_text(content if isinstance(content, str) else json.dumps(content))
            names.append(str(name))
        kept = [part for name in names[1:] for part in ("--checkpoint", name)]
        return int(verifier.main([names[0], "--public-key", key or public_key(), *kept]))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


async def fetch(world: World, path: str) -> Any:
    async with rest_client(world.service.rest, TOKEN) as rest:
        return (await rest.get(path)).good()


async def test_the_verifier_says_what_was_committed(
    world: World, files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await fetch(world, f"/v1/transactions/{world.ids[70]}/proof")
    capsys.readouterr()
    assert files.run(answer) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["transactionId"] == world.ids[70]
    assert said["event"]["kind"] == "TRANSACTION_CREATED"
    assert said["event"]["description"] == "Café"
    assert [(entry["side"], entry["amount"], entry["currency"]) for entry in said["event"]["entries"]] == [
        ("DEBIT", "100", "USD"),
        ("CREDIT", "100", "USD"),
    ]
    kept = await fetch(world, f"/v1/entities/{world.entity}/checkpoint?atSequence=100")
    answer = await fetch(world, f"/v1/transactions/{world.ids[70]}/proof?atSequence=100&revision=1")
    del answer["checkpoint"]
    assert files.run(answer) == 1
    assert files.run(answer, kept) == 0


async def test_the_verifier_on_two_histories(world: World, files: Files) -> None:
    kept = await fetch(world, f"/v1/entities/{world.entity}/checkpoint?atSequence=77")
    answer = await fetch(world, f"/v1/entities/{world.entity}/consistency-proof?fromSequence=77")
    assert files.run(answer) == 1, "the older checkpoint is missing"
    assert files.run(answer, kept) == 0
    other = await fetch(world, f"/v1/entities/{world.entity}/checkpoint?atSequence=78")
    other["checkpoint"]["sequence"] = 77
    assert files.run(answer, other) == 1


def mutations(answer: Any) -> dict[str, Any]:
    """The answer with one thing changed, for each thing in it."""
    found = {}
    for part, members in answer.items():
        for name, value in members.items():
            if name in ("keyId", "publicKey"):
                continue  # the key is the one that the caller knows
            if isinstance(value, int):
                others = [value + 1, value - 1]
            elif isinstance(value, list):
                others = [value[:-1], value[::-1], [*value, value[0]], ["00" * 32, *value[1:]]]
            elif name == "record":
                data = base64.b64decode(value)
                places = range(0, len(data), 7)
                changed = [bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]]) for at in places]
                others = [base64.b64encode(each).decode() for each in (*changed, data[:-1], data + b"\0")]
            elif name == "transactionId":
                # The last characters are keyed check digits, which only the service knows.
                others = [value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :] for at in (8, 15)]
            else:
                others = [value[:-1] + ("0" if value[-1] != "0" else "1")]
            for number, other in enumerate(others):
                spoilt = copy.deepcopy(answer)
                spoilt[part][name] = other
                found[f"{part}.{name} {number}"] = spoilt
    return found


async def test_the_verifier_takes_no_proof_that_was_changed(world: World, files: Files) -> None:
    for path in (
        f"/v1/transactions/{world.ids[40]}/proof",
        f"/v1/entities/{world.entity}/consistency-proof?fromSequence=77",
    ):
        answer = await fetch(world, path)
        kept = await fetch(world, f"/v1/entities/{world.entity}/checkpoint?atSequence=77")
        assert files.run(answer, kept) == 0
        for name, spoilt in mutations(answer).items():
            assert files.run(spoilt, kept) in (1, 2), name
        assert files.run(answer, kept, key="00" * 32) == 1


async def test_two_histories_that_are_both_signed_are_told(world: World, files: Files) -> None:
    """The same key signed another head for the same sequence: the caller was told a history of its own."""
    key = CheckpointKey.from_pem(checkpoint_key_file().read_bytes())
    answer = await fetch(world, f"/v1/transactions/{world.ids[40]}/proof")
    other = copy.deepcopy(answer["checkpoint"])
    other["root"] = "ab" * 32
    text = "ledger-service checkpoint v1\n{entityId}\n{sequence}\n{root}\n{recordedTime}\n".format(**other)
    other["signature"] = key._key.sign(text.encode()).hex()
    assert files.run(answer, {"checkpoint": answer["checkpoint"]}) == 0
    assert files.run(answer, {"checkpoint": other}) == 1


def test_the_verifier_reads_files_that_are_none(files: Files) -> None:
    for content in ("", "[]", "{}", '{"proof": {}}', '{"proof": {"fromSequence": 1}}'):
        assert files.run(content) == 2


# RFC 8032, section 7.1, tests 1 to 3.
ED25519 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), ED25519)
def test_signatures_of_the_standard(key: str, message: str, signature: str) -> None:
    data = bytes.fromhex(message)
    assert verifier.is_signed(bytes.fromhex(key), data, bytes.fromhex(signature))
    assert not verifier.is_signed(bytes.fromhex(key), data + b"x", bytes.fromhex(signature))
    for at in range(0, 64, 9):
        spoilt = bytearray.fromhex(signature)
        spoilt[at] ^= 1
        assert not verifier.is_signed(bytes.fromhex(key), data, bytes(spoilt))
    # The same point with the group's order added to the scalar: RFC 8032 has it refused.
    larger = int.from_bytes(bytes.fromhex(signature)[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    assert not verifier.is_signed(
        bytes.fromhex(key), data, bytes.fromhex(signature)[:32] + larger.to_bytes(32, "little")
    )
