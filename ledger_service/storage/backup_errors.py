"""The errors of backup and restore."""

from __future__ import annotations


class BackupError(Exception):
    """A backup or a restore failed, or a proof of one did; the message says in one line why and what to do."""


class BackupRefusedError(BackupError):
    """Nothing was begun: the folder, the tools or the versions do not fit."""
