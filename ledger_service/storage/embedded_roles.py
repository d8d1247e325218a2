"""Who the service is to its embedded database: a login of its own, which may act as the roles that serve.

It owns nothing and is no superuser, so that not even RESET ROLE gets a writer past the triggers.
"""

from __future__ import annotations

from typing import Any

from ledger_service.storage.database import ROLES, SERVING_ROLES

SERVICE_LOGIN = "ledger_app"


async def ensure_service_login(connection: Any) -> None:
    """Make the roles that are missing; the migrations find theirs and keep them."""
    found = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    for role in ROLES:
        if role not in found:
            await connection.execute(f"CREATE ROLE {role} NOLOGIN")
    if SERVICE_LOGIN not in found:
        await connection.execute(f"CREATE ROLE {SERVICE_LOGIN} LOGIN")
    for role in SERVING_ROLES:
        if not await connection.fetchval("SELECT pg_has_role($1, $2, 'MEMBER')", SERVICE_LOGIN, role):
            await connection.execute(f"GRANT {role} TO {SERVICE_LOGIN}")
