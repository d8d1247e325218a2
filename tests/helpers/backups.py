"""Backups in tests: what is in one, and one of somebody else's making."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ledger_service.storage.backup_manifest import _digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def manifest_of(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["manifest"]
    return manifest


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A manifest of somebody else's making, in itself sound."""
    manifest = manifest_of(folder)
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps({"sha256": _digest_of(manifest), "manifest": manifest}))
