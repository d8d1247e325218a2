"""What to tell an operator when the database cannot be reached or refuses us."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import asyncpg

_REFUSED_ROLE = re.compile(r'set role "(\w+)"')

# All that connecting and the first statements raise. ValueError is asyncpg's for a DSN it cannot read.
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError)


def explain_database_error(error: BaseException, dsn: str) -> str:
    """One line with the place (never the password), the cause, and what to look at."""
    place = _place(dsn)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return f"the database {place} refuses the user or password: {error}"
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"{error} at {place}: create it first, or name another one in the DSN"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        role = _REFUSED_ROLE.search(str(error))
        if role is not None:
            return f"the database {place} does not let this user act as {role[1]}: run GRANT {role[1]} TO the user"
        return f"the database {place} does not allow this: {error}; give LEDGER_MIGRATE_DSN a user that may"
    if isinstance(error, asyncpg.PostgresError):
        return f"the database {place} reports: {error}"
    if isinstance(error, asyncpg.InterfaceError | ValueError):
        return f"the DSN cannot be used: {error}; write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    cause = str(error) or type(error).__name__
    return f"cannot reach the database {place}: {cause}"


def _place(dsn: str) -> str:
    try:
        parts = urlsplit(dsn)
        host = parts.hostname or "(local socket)"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "named in the DSN"
    return f"{host}{port}{parts.path}"
