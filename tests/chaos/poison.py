"""A database that refuses some content which the rules let pass: as a fault of ours would look."""

from __future__ import annotations

from typing import Any

POISON = "poison"
"""Description of a transaction that is refused."""

_POISONED = f"""
CREATE FUNCTION public.refuse_poison() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END $$;
CREATE TRIGGER poison BEFORE INSERT ON ledger.events FOR EACH ROW
    WHEN (NEW.description = '{POISON}') EXECUTE FUNCTION public.refuse_poison();
"""


async def set_poison(connection: Any) -> None:
    """From now on it is refused."""
    await connection.execute(_POISONED)


async def remove_poison(connection: Any) -> None:
    """As before: `verify` knows every trigger that may be there."""
    await connection.execute("DROP TRIGGER poison ON ledger.events; DROP FUNCTION public.refuse_poison()")
