"""What `backup` and `restore` show: progress for somebody who waits, and what was found."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ledger_service.cli.columns import Column, print_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.storage.backup import BackupProgress
    from ledger_service.storage.backup_manifest import Manifest

_LISTED = 20
"""Entities; the manifest has them all."""
_DIGEST_SHOWN = 16


@contextlib.contextmanager
def showing_progress() -> Iterator[Callable[[BackupProgress], None]]:
    """A bar on standard error, without an end where none is known; nothing where nobody watches."""
    if not sys.stderr.isatty():
        yield lambda now: None  # noqa: ARG005
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("[cyan]›[/] {task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Connecting", total=None)

        def show(now: BackupProgress) -> None:
            bar.update(task, description=now.stage, completed=now.done, total=now.total or None)

        yield show


def print_manifest(folder: Path, manifest: Manifest, facts: Mapping[str, str]) -> None:
    """What the backup is, and what else is to be said of it, as lines of name and value."""
    console = Console(highlight=False)
    print_facts(
        console,
        {
            "backup": str(folder),
            "taken": f"{manifest.taken_time:%Y-%m-%d %H:%M:%S} UTC, of PostgreSQL {manifest.server_version}",
            "schema": manifest.schema_name.removesuffix(".sql"),
            "holds": f"{counted(len(manifest.entities), 'entity', 'entities')}, "
            f"{counted(manifest.events, 'event', 'events')}, {counted(manifest.entries, 'entry', 'entries')}",
            "size": f"{size_of(manifest.size)} in {counted(len(manifest.files), 'file', 'files')}",
            **facts,
        },
    )


def print_entities(manifest: Manifest, now: Mapping[str, int] | None = None) -> None:
    """How far each entity goes, and how far the living one has come, if that was looked at."""
    if not manifest.entities:
        return
    console = Console(highlight=False)
    columns = [
        Column("entity", flexible=True),
        Column("sequence", right=True),
        *([Column("by now", right=True)] if now is not None else []),
        Column("entries", right=True),
        Column("digest"),
    ]
    rows = [
        [
            entity.entity_id,
            f"{entity.sequence:,}",
            *([f"{now[entity.entity_id]:,}"] if now is not None else []),
            f"{entity.entries:,}",
            entity.digest[:_DIGEST_SHOWN],
        ]
        for entity in manifest.entities[:_LISTED]
    ]
    console.print()
    print_columns(console, columns, rows)
    if len(manifest.entities) > _LISTED:
        console.print(f"and {len(manifest.entities) - _LISTED:,} more, in manifest.json", style="dim")


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Lines of name and value, the values below each other."""
    width = max(map(len, facts))
    for name, value in facts.items():
        console.print(Text.assemble((name.ljust(width), "dim"), "  ", value), soft_wrap=True)


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def size_of(size: int) -> str:
    """Bytes for people."""
    scaled, unit = float(size), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if scaled < 1024 or unit == "TiB":
            break
        scaled /= 1024
    return f"{size} bytes" if unit == "bytes" else f"{scaled:,.1f} {unit}"
