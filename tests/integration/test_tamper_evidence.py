"""Whoever has all rights on the database and changes something after a checkpoint is found out.

One ledger is written through the service and its heads are signed; each test rewrites a copy of it, as a superuser can,
with the triggers out of the way, and, where it says so, with seals that fit.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from ledger_service.application.proof_json import write_checkpoints
from ledger_service.application.signing import CheckpointKey
from ledger_service.domain.sealing.checkpoint import Head
from ledger_service.domain.sealing.tree import root_of
from ledger_service.storage import sealing
from ledger_service.storage.verification import VerifyReport, verify_database
from tests.helpers.builders import ASSET, new_account, new_entity, transfer
from tests.helpers.corruption import BACKDATED, DRAINED, EDITED, LEGS, REFUSED, RENT, WIDE
from tests.helpers.processes import run_cli
from tests.helpers.servers import checkpoint_key_file, cloned, serving
from tests.helpers.sound_ledger import write_sound_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ledger_service.storage.embedded import EmbeddedPostgres

_SPOILING = {"search_path": "ledger", "session_replication_role": "replica"}
ACME = 2


class Sealed:
    """A ledger with the heads that were kept of it."""

    def __init__(self, dsn: str, heads: list[Head]) -> None:
        self.dsn = dsn
        self.heads = heads


@pytest.fixture(scope="module")
async def sound(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Sealed]:
    async with cloned(postgres.dsn, template) as dsn:
        async with serving(dsn) as service:
            await write_sound_ledger(service)
            first = await sealing.newest_heads(dsn, None)
            entity = await new_entity(service.client, entity_id="later")
            await new_account(service.client, entity, "cash", ASSET)
            await new_account(service.client, entity, "wallet")
            for _ in range(150):
                await service.client.transactions.CreateTransaction(transfer(entity, "cash", "wallet", "1.00"))
        yield Sealed(dsn, [*first, *await sealing.newest_heads(dsn, None)])


@pytest.fixture
async def ledger(postgres: EmbeddedPostgres, sound: Sealed) -> AsyncIterator[Sealed]:
    async with cloned(postgres.dsn, sound.dsn) as dsn:
        yield Sealed(dsn, sound.heads)


async def spoil(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn, server_settings=_SPOILING)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def seal_anew(dsn: str, entity_no: int) -> None:
    """As somebody would who knows how seals are made: they fit whatever is there now."""
    connection = await asyncpg.connect(dsn, server_settings=_SPOILING)
    try:
        async with connection.transaction():
            spans = await connection.fetch(
                "SELECT first_sequence, last_sequence FROM commits WHERE entity_no = $1 ORDER BY 1", entity_no
            )
            await connection.execute("DELETE FROM seals WHERE entity_no = $1", entity_no)
            await sealing.seal_history(connection, lambda _: None)
            [whole] = await connection.fetch("SELECT * FROM seals WHERE entity_no = $1", entity_no)
            assert whole["last_sequence"] == spans[-1]["last_sequence"]
    finally:
        await connection.close()


def said(report: VerifyReport, pattern: str) -> bool:
    return any(re.search(pattern, line) for line in report.breaks)


async def test_the_untouched_ledger_is_held_to_its_checkpoints(ledger: Sealed) -> None:
    report = await verify_database(ledger.dsn, heads=ledger.heads)
    assert report.is_clean, report.breaks
    assert report.checkpoints == len(ledger.heads) >= 4
    assert report.seals > 200


def event(assignment: str, sequence: int) -> tuple[str, int]:
    return f"UPDATE events SET {assignment} WHERE entity_no = {ACME} AND sequence = {sequence};", sequence


def entries(assignment: str, sequence: int, more: str = "leg = 0") -> tuple[str, int]:
    changed = f"UPDATE entries SET {assignment} WHERE entity_no = {ACME} AND sequence = {sequence} AND {more};"
    return changed, sequence


# What each column becomes. Constraints are out of the way; no other rule needs to notice.
CHANGES = {
    **{
        f"event: {change.split(' = ')[0]}": event(change, sequence)
        for change, sequence in {
            "kind = 7": DRAINED,
            "span = 2": DRAINED,
            "recorded_time = recorded_time + interval '1 microsecond'": DRAINED,
            "actor = actor || ' '": DRAINED,
            "idempotency_key = NULL": DRAINED,
            "request_hash = set_byte(request_hash, 0, 255 - get_byte(request_hash, 0))": DRAINED,
            "transaction_no = transaction_no + 1": DRAINED,
            "revision = 2": DRAINED,
            "status = 1": DRAINED,
            "postings_at = postings_at - 1": DRAINED,
            "effective_time = effective_time - interval '1 microsecond'": BACKDATED,
            "expire_time = now()": DRAINED,
            "description = ''": DRAINED,
            "reference = 'r'": DRAINED,
            "counterparty = 'somebody'": DRAINED,
            "category_id = 'rent'": DRAINED,
            "metadata = '{\"a\": 1.0}'": DRAINED,
            "reverses = 0": DRAINED,
            "account_no = 3": DRAINED,
            "detail = '{}'": DRAINED,
        }.items()
    },
    "event: detail of a refusal": event("detail = jsonb_set(detail, '{message}', '\"no\"')", REFUSED),
    "event: detail of a category": event("detail = detail || '{\"metadata\": {}}'", RENT),
    **{
        f"entries: {change.split(' = ')[0]}": entries(change, sequence)
        for change, sequence in {
            "account_no = account_no + 1000": LEGS,
            "currency = 'EUR'": LEGS,
            "number = number + 1000": LEGS,
            "kind = 2": LEGS,
            "leg = 100": LEGS,
            "side = 3 - side": LEGS,
            "amount = amount + 1": LEGS,
            "debits_posted = debits_posted + 1": LEGS,
            "credits_posted = credits_posted + 1": LEGS,
            "debits_pending = debits_pending + 1": LEGS,
            "credits_pending = credits_pending + 1": LEGS,
            "effective_time = effective_time + interval '1 microsecond'": LEGS,
            "latest_effective = latest_effective + interval '1 microsecond'": LEGS,
            "wide[5] = wide[5] + 1": WIDE,
            "wide = NULL": WIDE,
        }.items()
    },
}


def unconstrained(sql: str) -> str:
    return f"""
        DO $$ DECLARE name text; relation text; BEGIN
            FOR name, relation IN SELECT conname, conrelid::regclass FROM pg_constraint
                WHERE conrelid IN ('events'::regclass, 'entries'::regclass) AND contype = 'c' AND conislocal LOOP
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', relation, name);
            END LOOP;
        END $$;
        {sql}"""


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_changed_column_is_told_by_its_seal(ledger: Sealed, change: tuple[str, int]) -> None:
    sql, sequence = change
    await spoil(ledger.dsn, unconstrained(sql))
    report = await verify_database(ledger.dsn, max_breaks=1000)
    assert said(report, f"^seals: entity acme, events {sequence} to {sequence} are not what was sealed"), report.breaks


REWRITES = {
    "an amount, with everything that follows from it": f"""
        UPDATE entries SET amount = amount + 5 WHERE entity_no = {ACME} AND sequence = {DRAINED};
        UPDATE entries SET debits_posted = debits_posted + 5
            WHERE entity_no = {ACME} AND sequence >= {DRAINED} AND account_no = 3;""",
    "a description": f"UPDATE events SET description = 'rent' WHERE entity_no = {ACME} AND sequence = {DRAINED};",
    "who did it": f"UPDATE events SET actor = 'somebody' WHERE entity_no = {ACME} AND sequence = {EDITED};",
    "two swapped": f"""
        UPDATE events SET sequence = -1 WHERE entity_no = {ACME} AND sequence = {LEGS};
        UPDATE events SET sequence = {LEGS} WHERE entity_no = {ACME} AND sequence = {WIDE};
        UPDATE events SET sequence = {WIDE} WHERE entity_no = {ACME} AND sequence = -1;
        UPDATE entries SET sequence = -1 WHERE entity_no = {ACME} AND sequence = {LEGS};
        UPDATE entries SET sequence = {LEGS} WHERE entity_no = {ACME} AND sequence = {WIDE};
        UPDATE entries SET sequence = {WIDE} WHERE entity_no = {ACME} AND sequence = -1;""",
}


@pytest.mark.parametrize("sql", REWRITES.values(), ids=REWRITES.keys())
async def test_a_rewritten_history_with_seals_that_fit(ledger: Sealed, sql: str) -> None:
    await spoil(ledger.dsn, unconstrained(sql))
    await seal_anew(ledger.dsn, ACME)
    assert not said(await verify_database(ledger.dsn), "^seals"), "without a checkpoint the seals fit"
    report = await verify_database(ledger.dsn, heads=ledger.heads)
    assert said(report, "^seals: entity acme, the history up to sequence [0-9]+ is not the one of the checkpoint")


async def test_a_change_is_told_between_two_checkpoints(ledger: Sealed) -> None:
    connection = await asyncpg.connect(ledger.dsn, server_settings=_SPOILING)
    entity_no = await connection.fetchval("SELECT entity_no FROM entities WHERE entity_id = 'later'")
    kept = [
        Head("later", row["last_sequence"], root_of(row["peaks"]), 0)
        for row in await connection.fetch(
            "SELECT * FROM seals WHERE entity_no = $1 AND last_sequence IN (40, 80, 120)", entity_no
        )
    ]
    await connection.close()
    await spoil(ledger.dsn, f"UPDATE events SET actor = 'x' WHERE entity_no = {entity_no} AND sequence = 77;")
    await seal_anew(ledger.dsn, entity_no)
    report = await verify_database(ledger.dsn, heads=kept)
    assert said(report, "later, the history up to sequence 80 is not the one of the checkpoint, it does up to 40")
    assert said(report, "later, the history up to sequence 120 is not the one of the checkpoint, it does up to 40")


DROP_TAIL = """
    DELETE FROM entries WHERE entity_no = {no} AND sequence > {last};
    DELETE FROM events WHERE entity_no = {no} AND sequence > {last};
    DELETE FROM commits WHERE entity_no = {no} AND last_sequence > {last};
    DELETE FROM seals WHERE entity_no = {no} AND last_sequence > {last};"""


async def test_the_end_taken_away_leaves_a_sound_ledger_that_only_a_checkpoint_knows(ledger: Sealed) -> None:
    head = next(head for head in reversed(ledger.heads) if head.entity_id == "later")
    connection = await asyncpg.connect(ledger.dsn)
    entity_no = await connection.fetchval("SELECT entity_no FROM ledger.entities WHERE entity_id = 'later'")
    await connection.close()
    await spoil(ledger.dsn, DROP_TAIL.format(no=entity_no, last=100))
    assert (await verify_database(ledger.dsn)).is_clean
    report = await verify_database(ledger.dsn, heads=ledger.heads)
    assert report.breaks == [
        line
        for line in report.breaks
        if f"entity later, the history ends at sequence 100, but there is a checkpoint of sequence {head.sequence}"
        in line
    ]
    assert len(report.breaks) == 1


async def test_a_whole_entity_taken_away(ledger: Sealed) -> None:
    tables = ("entries", "events", "commits", "seals", "accounts", "account_limits", "open_transactions", "entities")
    connection = await asyncpg.connect(ledger.dsn, server_settings=_SPOILING)
    number = await connection.fetchval("SELECT entity_no FROM entities WHERE entity_id = 'later'")
    for table in tables:
        await connection.execute(f"DELETE FROM {table} WHERE entity_no = {number}")
    await connection.close()
    assert (await verify_database(ledger.dsn)).is_clean
    report = await verify_database(ledger.dsn, heads=ledger.heads)
    assert said(report, "^seals: entity later does not exist, but there is a checkpoint")


async def test_two_entities_exchanged(ledger: Sealed) -> None:
    await spoil(
        ledger.dsn,
        """UPDATE entities SET entity_id = 'x' WHERE entity_id = 'acme';
           UPDATE entities SET entity_id = 'acme' WHERE entity_id = 'later';
           UPDATE entities SET entity_id = 'later' WHERE entity_id = 'x';""",
    )
    report = await verify_database(ledger.dsn, heads=ledger.heads)
    assert said(report, "entity later, the history")
    assert said(report, "entity acme, the history up to sequence [0-9]+ is not the one")


ROWS = {
    "an event and its entries": (
        f"""DELETE FROM entries WHERE entity_no = {ACME} AND sequence = {DRAINED};
            DELETE FROM events WHERE entity_no = {ACME} AND sequence = {DRAINED};""",
        f"events {DRAINED} to {DRAINED} are not what was sealed .*: there are 0 of them, expected 1",
    ),
    "an entry": (
        f"DELETE FROM entries WHERE entity_no = {ACME} AND sequence = {DRAINED} AND leg = 0;",
        f"events {DRAINED} to {DRAINED} are not what was sealed when they were committed: another hash",
    ),
    "a seal": (
        f"DELETE FROM seals WHERE entity_no = {ACME} AND last_sequence = {DRAINED};",
        f"events {DRAINED} to {DRAINED} have no seal",
    ),
    "the last seals": (
        f"DELETE FROM seals WHERE entity_no = {ACME} AND last_sequence > {DRAINED};",
        f"events {DRAINED + 1} to [0-9]+ have no seal",
    ),
    "one byte of a seal": (
        f"""UPDATE seals SET peaks = set_byte(peaks, 3, 255 - get_byte(peaks, 3))
            WHERE entity_no = {ACME} AND last_sequence = {DRAINED};""",
        f"events {DRAINED} to {DRAINED} are not what was sealed when they were committed: another hash",
    ),
    "a node in a seal": (
        "UPDATE seals SET nodes = set_byte(nodes, 3, 255 - get_byte(nodes, 3)) WHERE last_sequence = 64;",
        "events 64 to 64 are not what was sealed when they were committed: other hashes of subtrees",
    ),
    "a row added": (
        f"""INSERT INTO entries SELECT entity_no, account_no, currency, number + 5000, sequence, kind, 50, side, amount,
               debits_posted, credits_posted, debits_pending, credits_pending, effective_time, latest_effective, wide
            FROM entries WHERE entity_no = {ACME} AND sequence = {DRAINED} AND leg = 0;""",
        f"events {DRAINED} to {DRAINED} are not what was sealed when they were committed: another hash",
    ),
    "an event added at the end": (
        f"""INSERT INTO events (entity_no, sequence, kind, span, recorded_time, actor, detail, account_no)
            SELECT entity_no, sequence + 1, 10, 1, recorded_time, 'me', '{{}}', 3 FROM events
            WHERE entity_no = {ACME} ORDER BY sequence DESC LIMIT 1;""",
        "events (?P<at>[0-9]+) to (?P=at) have no seal",
    ),
}


@pytest.mark.parametrize(("sql", "pattern"), ROWS.values(), ids=ROWS.keys())
async def test_rows_taken_away_or_added(ledger: Sealed, sql: str, pattern: str) -> None:
    await spoil(ledger.dsn, sql)
    report = await verify_database(ledger.dsn, max_breaks=1000)
    assert said(report, f"^seals: entity (acme|later), {pattern}"), report.breaks


async def test_only_what_was_changed_is_told(ledger: Sealed) -> None:
    await spoil(
        ledger.dsn, f"UPDATE events SET actor = 'x' WHERE entity_no = {ACME} AND sequence IN ({DRAINED}, {WIDE});"
    )
    report = await verify_database(ledger.dsn)
    assert [line for line in report.breaks if line.startswith("seals")] == [
        f"seals: entity acme, events {at} to {at} are not what was sealed when they were committed: another hash"
        for at in sorted((DRAINED, WIDE))
    ]


# The commands.


async def cli(*arguments: str, dsn: str, key: Path | None = None) -> tuple[int, str, str]:
    found: tuple[int, str, str] = await run_cli(
        *arguments, dsn=dsn, **({"LEDGER_CHECKPOINT_KEY": str(key)} if key else {})
    )
    return found


async def test_the_commands(ledger: Sealed, tmp_path: Path) -> None:
    key, file = tmp_path / "key.pem", tmp_path / "checkpoints.json"
    code, output, _ = await cli("checkpoint-key", "--out", str(key), dsn=ledger.dsn)
    assert code == 0
    public = re.search(r"public key ([0-9a-f]{64})", output)
    assert public
    assert key.stat().st_mode & 0o777 == 0o600
    code, _, errors = await cli("checkpoint-key", "--out", str(key), dsn=ledger.dsn)
    assert (code, "exists" in errors) == (2, True)

    code, _, errors = await cli("checkpoint", "--out", str(file), dsn=ledger.dsn)
    assert code == 2
    assert "LEDGER_CHECKPOINT_KEY" in errors
    for _ in range(2):
        code, output, errors = await cli("checkpoint", "--out", str(file), dsn=ledger.dsn, key=key)
        assert code == 0, errors
    assert output.startswith("0 checkpoints added")

    for more in ((), ("--public-key", public[1])):
        code, output, _ = await cli("verify", "--checkpoint", str(file), *more, dsn=ledger.dsn)
        assert code == 0, output
        assert "held to " in output
    code, output, _ = await cli("verify", "--checkpoint", str(file), "--public-key", "0" * 64, dsn=ledger.dsn)
    assert code == 1
    assert "it is signed by key" in output

    await spoil(ledger.dsn, DROP_TAIL.format(no=ACME, last=DRAINED))
    code, output, _ = await cli("verify", "--checkpoint", str(file), dsn=ledger.dsn, key=key)
    assert code == 1
    assert f"entity acme, the history ends at sequence {DRAINED}" in output


async def test_a_file_that_was_changed(ledger: Sealed, tmp_path: Path) -> None:
    key = CheckpointKey.from_pem(checkpoint_key_file().read_bytes())
    file = tmp_path / "checkpoints.json"
    other = ledger.heads[0]._replace(root=bytes(32))
    file.write_bytes(write_checkpoints([key.sign(ledger.heads[0])._replace(head=other)]))
    code, output, _ = await cli("verify", "--checkpoint", str(file), dsn=ledger.dsn)
    assert code == 1
    assert "its signature does not hold" in output
    for content in (b"{}", b"nothing", b'{"format": "ledger-service checkpoints v1", "checkpoints": [{}]}'):
        await asyncio.to_thread(file.write_bytes, content)
        code, _, errors = await cli("verify", "--checkpoint", str(file), dsn=ledger.dsn)
        assert (code, "is no file of checkpoints" in errors) == (2, True)


async def test_the_database_refuses_what_is_not_sealed(ledger: Sealed) -> None:
    """By the roles of the service and of the owner alike."""
    connection: Any = await asyncpg.connect(ledger.dsn, server_settings={"search_path": "ledger"})
    event_row = f"""INSERT INTO events (entity_no, sequence, kind, span, recorded_time, actor, idempotency_key,
                        request_hash, detail)
                    SELECT entity_no, sequence + 1, 8, 1, recorded_time, 'me', 'unsealed', '', '{{}}' FROM events
                    WHERE entity_no = {ACME} ORDER BY sequence DESC LIMIT 1 RETURNING sequence"""
    seal = f"INSERT INTO seals VALUES ({ACME}, $1, $2, 1, $3, '')"
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="are not sealed"):
            await connection.execute(event_row)
        for first, last in ((5, 500), (500, 500)):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="does not follow"):
                await connection.execute(seal, first, last, bytes(32 * last.bit_count()))
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(seal, 3, 3, bytes(32))
        for change in ("UPDATE seals SET version = 1", "DELETE FROM seals", "TRUNCATE seals"):
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await connection.execute(change)
    finally:
        await connection.close()


async def test_older_history_is_sealed_in_steps(ledger: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree is the same as if every commit had been sealed; the service goes on from there."""
    monkeypatch.setattr(sealing, "_HISTORY_CHUNK", 70)
    monkeypatch.setattr(sealing, "_READ_CHUNK", 9)
    connection = await asyncpg.connect(ledger.dsn, server_settings=_SPOILING)
    try:
        sequences = dict(await connection.fetch("SELECT entity_no, max(sequence) FROM events GROUP BY entity_no"))
        async with connection.transaction():
            await connection.execute("DELETE FROM seals")
            steps = await sealing.seal_history(connection, lambda _: None)
        assert steps == sum(-(-last // 70) for last in sequences.values())
        assert await sealing.seal_history(connection, lambda _: None) == 0
    finally:
        await connection.close()
    async with serving(ledger.dsn) as service:
        for _ in range(3):
            await service.client.transactions.CreateTransaction(transfer("later", "cash", "wallet", "1.00"))
    report = await verify_database(ledger.dsn, heads=ledger.heads)
    assert report.is_clean, report.breaks
    assert report.seals == steps + 3
