"""What a backup says of itself: `manifest.json`, written last, and the proof that the files are those it names.

A backup is a folder:

    manifest.json    what is in the backup; without it there is none
    dump/            the archive of `pg_dump --format=directory`
    UNFINISHED       while it is being made; after a crash it tells what the rest is
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ledger_service.storage.backup_errors import BackupError, BackupRefusedError
from ledger_service.storage.embedded_folder import sync_folder

MANIFEST: Final = "manifest.json"
DUMP: Final = "dump"
UNFINISHED: Final = "UNFINISHED"

FORMAT: Final = 1
"""Of the manifest; a release reads the formats that it knows, and refuses others."""

_MAX_MANIFEST_BYTES: Final = 256 * 1024 * 1024
"""About a million entities."""
_CHUNK_BYTES: Final = 1024 * 1024

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BackupFile(_Part):
    """A file of the dump: its path in the backup's folder, its size, its digest."""

    # Nothing that leads out of the folder.
    path: Annotated[str, Field(pattern=r"^dump/[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    size: _Count
    sha256: _Sha256


class BackupMigration(_Part):
    """A migration that the ledger had."""

    number: _Count
    name: str
    digest: str


class BackupEntity(_Part):
    """How far an entity had come, and a digest of all events and entries up to there, in their order."""

    entity_id: str
    entity_no: Annotated[int, Field(ge=1)]
    sequence: Annotated[int, Field(ge=1)]
    # As many as the sequence says, in a sound ledger; a broken one can be backed up as well.
    events: _Count
    entries: _Count
    digest: _Sha256


class Manifest(_Part):
    """One state of a ledger, as the snapshot of the dump shows it."""

    format: int
    made_by: str
    taken_time: datetime
    server_version: str
    server_major: _Count
    migrations: Annotated[list[BackupMigration], Field(min_length=1)]
    # Digests are over these columns: a later release may have more.
    columns: dict[str, list[str]]
    entities: list[BackupEntity]
    # Rows of each table.
    tables: dict[str, _Count]
    # The highest number of a database transaction in `commits`; see restore.
    highest_writer: _Count
    files: Annotated[list[BackupFile], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_no_doubles(self) -> Self:
        for what, names in (
            ("an entity", [entity.entity_id for entity in self.entities]),
            ("a file", [file.path for file in self.files]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"names {what} twice")
        return self

    @property
    def schema_name(self) -> str:
        """The newest migration."""
        return max(self.migrations, key=lambda migration: migration.number).name

    @property
    def has_gaps(self) -> bool:
        """Whether the history of an entity lacks events."""
        return any(entity.events != entity.sequence for entity in self.entities)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def events(self) -> int:
        """Events of all entities."""
        return sum(entity.events for entity in self.entities)

    @property
    def entries(self) -> int:
        """Entries of all entities."""
        return sum(entity.entries for entity in self.entities)


def begin_folder(folder: Path) -> None:
    """Make the backup's folder, or take an empty one. Raises BackupRefusedError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise BackupRefusedError(f"cannot make {folder} ({error.strerror}): name another folder") from error
    if UNFINISHED in found:
        raise BackupRefusedError(
            f"{folder} holds an unfinished backup, of one that was cut off or is still under way: "
            "remove it, or name another folder"
        )
    if MANIFEST in found:
        raise BackupRefusedError(f"{folder} holds a backup, and backups are never overwritten: name another folder")
    if found:
        raise BackupRefusedError(f"{folder} is not empty: name a folder that does not exist")
    try:
        folder.chmod(0o700)
        # Fails when another backup has just begun here.
        _write_synced(folder / UNFINISHED, "A backup is being made, or was cut off; without manifest.json it is none\n")
        sync_folder(folder)
    except OSError as error:
        raise BackupRefusedError(f"cannot write in {folder} ({error.strerror}): name another folder") from error


def finish_folder(folder: Path, manifest: Manifest) -> str:
    """Write the manifest, durably, as the last file; gives its digest."""
    content = manifest.model_dump(mode="json")
    digest = _digest_of(content)
    scratch = folder / f"{MANIFEST}.new"
    _write_synced(scratch, json.dumps({"sha256": digest, "manifest": content}, ensure_ascii=False, indent=1) + "\n")
    scratch.rename(folder / MANIFEST)
    sync_folder(folder)
    (folder / UNFINISHED).unlink()
    sync_folder(folder)
    sync_folder(folder.parent)
    return digest


def digest_files(folder: Path, progress: Callable[[int], None]) -> list[BackupFile]:
    """All files of the dump, each written through to the disk; `progress` is told bytes."""
    files = []
    for path in sorted((folder / DUMP).iterdir()):
        size, digest = 0, hashlib.sha256()
        with path.open("rb") as file:
            for chunk in _chunks(file):
                digest.update(chunk)
                size += len(chunk)
                progress(len(chunk))
            os.fsync(file.fileno())
        path.chmod(0o600)
        files.append(BackupFile(path=f"{DUMP}/{path.name}", size=size, sha256=digest.hexdigest()))
    sync_folder(folder / DUMP)
    return files


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a complete backup. Raises BackupRefusedError, BackupError if it was changed."""
    if not folder.is_dir():
        raise BackupRefusedError(f"{folder} is not a folder: name the folder of a backup")
    if (folder / UNFINISHED).exists():
        raise BackupRefusedError(f"{folder} holds an unfinished backup: nothing can be restored from it; take another")
    path = folder / MANIFEST
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise BackupError(f"{path} is larger than any manifest: take another backup")
        text = path.read_bytes()
    except FileNotFoundError:
        raise BackupRefusedError(f"{folder} holds no backup: there is no {MANIFEST} in it") from None
    except OSError as error:
        raise BackupError(f"cannot read {path}: {error.strerror}") from error
    try:
        whole = json.loads(text)
        content, digest = whole["manifest"], whole["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{path} is damaged, it cannot be read: take another backup") from error
    if _digest_of(content) != digest:
        raise BackupError(f"{path} is damaged or was edited, its digest differs: take another backup")
    if isinstance(content, dict) and content.get("format") != FORMAT:
        raise BackupRefusedError(
            f"{path} has format {content.get('format')}, this release reads {FORMAT}: use the release that made it"
        )
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BackupError(f"{path} is not a manifest of this release: {place}: {first['msg']}") from error


def check_files(folder: Path, manifest: Manifest, progress: Callable[[int], None]) -> None:
    """Prove that the dump is what the manifest says, to the byte. Raises BackupError."""
    known = {file.path for file in manifest.files}
    for path in sorted((folder / DUMP).glob("*")):
        if f"{DUMP}/{path.name}" not in known:
            raise BackupError(f"{path} is not in the manifest: somebody added it; use another backup")
    for file in manifest.files:
        path = folder / file.path
        digest = hashlib.sha256()
        try:
            if path.stat().st_size != file.size:
                raise BackupError(
                    f"{path} has {path.stat().st_size:,} bytes, not {file.size:,}: the backup is damaged; use another"
                )
            with path.open("rb") as opened:
                for chunk in _chunks(opened):
                    digest.update(chunk)
                    progress(len(chunk))
        except FileNotFoundError:
            raise BackupError(f"{path} is missing: the backup is damaged; use another") from None
        except OSError as error:
            raise BackupError(f"cannot read {path}: {error.strerror}") from error
        if digest.hexdigest() != file.sha256:
            raise BackupError(f"{path} is not what was backed up, its digest differs: use another backup")


def _digest_of(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _write_synced(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
