"""Whether a database is ready for the tools that read and write its tables."""

from __future__ import annotations

import contextlib

import asyncpg

from ledger_service.storage.migrate import MigrationError, pending


async def require_migrated(dsn: str) -> None:
    """Raise MigrationError, in one line, if migrations of this release are missing in the database."""
    # A user that may not see the migrations' table is one that the operator made for the service: then the
    # database has been migrated by somebody else, and what is missing will say so itself.
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        missing = await pending(dsn)
        if missing:
            raise MigrationError(f"the database lacks {', '.join(missing)}: run 'ledger-service migrate' first")
