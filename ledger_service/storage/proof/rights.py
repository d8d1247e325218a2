"""Rules 6 and 10: what each role may do and see is what the migrations gave it, no more and no less.

A later migration that adds a table, a function or a grant adds it here; one that adds a table with a column
`entity_no` protects it (ledger.protect, migration 0005), or the table is named here as unprotected.
"""

from __future__ import annotations

from typing import Any

from ledger_service.storage.database import (
    AUDITOR_ROLE,
    CREDENTIALS_ROLE,
    DIRECTORY_ROLE,
    READER_ROLE,
    ROLES,
    WRITER_ROLE,
)
from ledger_service.storage.proof.findings import Findings, Rule

_ENTITY_DATA = (
    "accounts", "account_limits", "categories", "events", "entries", "commits", "open_transactions", "seals",
)  # fmt: skip
FACTS = (
    "reconciliation_profiles",
    "statement_files",
    "statements",
    "statement_lines",
    "reconciliation_matches",
    "reconciliation_decisions",
    "reconciliation_findings",
    "reconciliation_baselines",
    "frozen_transactions",
)
"""Tables that are written under a stage (migration 0012)."""
_STAGED = (*FACTS, "reconciliation_stages")
_RECONCILIATION = (*_STAGED, "reconciliation_revisions")
_FINDING = (
    "search_text",
    "search_document",
    "search_mark",
    "search_vector",
    "search_words",
    "search_terms",
    "search_query",
    "search_candidates",
    "counterparty_key",
    "counterparty_keys",
    "counterparty_transactions",
    "counterparty_names",
)
_INDEXED = ("search_text", "search_mark", "search_vector", "search_words", "counterparty_key")
"""What whoever writes a row works out for its indexes."""
_ENTITY_COLUMNS = "entity_no, entity_id, name, time_zone, state, metadata, created_time, updated_time, revision"

GRANTS = {
    WRITER_ROLE: frozenset(
        {
            "USAGE ON SCHEMA ledger",
            *(f"SELECT ON {table}" for table in ("entities", *_ENTITY_DATA, "transactions", *_RECONCILIATION)),
            *(f"INSERT ON {table}" for table in _RECONCILIATION),
            *(f"DELETE ON {table}" for table in _STAGED),
            "INSERT ON entities",
            "INSERT ON accounts",
            "INSERT ON account_limits",
            "DELETE ON account_limits",
            *(f"EXECUTE ON FUNCTION {name}" for name in _INDEXED),
            "INSERT ON events_inlet",
            "INSERT ON entries_inlet",
            "INSERT ON seals_inlet",
            "INSERT ON categories",
            "INSERT ON seals",
            "UPDATE (name, state, metadata, updated_time, sequence, revision) ON categories",
            (
                "UPDATE (code, name, parent_no, currencies, state, metadata, updated_time, sequence, revision, "
                "financial_type, sub_type_code, is_category, bank_account) ON accounts"
            ),
            "UPDATE (name, time_zone, state, metadata, updated_time, revision) ON entities",
        }
    ),
    READER_ROLE: frozenset(
        {
            "USAGE ON SCHEMA ledger",
            *(f"SELECT ON {table}" for table in (*_ENTITY_DATA, "transactions", *_RECONCILIATION)),
            f"SELECT ({_ENTITY_COLUMNS}) ON entities",
            "EXECUTE ON FUNCTION last_entry",
            *(f"EXECUTE ON FUNCTION {name}" for name in _FINDING),
        }
    ),
    DIRECTORY_ROLE: frozenset(
        {
            "USAGE ON SCHEMA ledger",
            *(f"SELECT ON {table}" for table in ("entities", "currencies", "credentials", "secrets")),
            "SELECT (entity_no, sequence) ON events",
            "SELECT (entity_no, expire_time) ON open_transactions",
        }
    ),
    CREDENTIALS_ROLE: frozenset(
        {
            "USAGE ON SCHEMA ledger",
            "SELECT ON credentials",
            "INSERT ON credentials",
            "UPDATE (expire_time, revoked_time) ON credentials",
        }
    ),
    AUDITOR_ROLE: frozenset(
        {"USAGE ON SCHEMA ledger", *(f"SELECT ON {table}" for table in ("entities", *_ENTITY_DATA, *_RECONCILIATION))}
    ),
    "public": frozenset(),
}
"""All that each role may do in the schema `ledger` (migrations 0003 to 0016); `public` is everybody."""

_BOUND = "(entity_no = (NULLIF(current_setting('ledger.entity_no'::text, true), ''::text))::integer)"
POLICIES = {
    "one_entity": f"SELECT TO {READER_ROLE} USING {_BOUND}",
    "all_entities": f"ALL TO {WRITER_ROLE} USING true",
    "audit": f"SELECT TO {AUDITOR_ROLE} USING true",
}
"""Of each table with a column `entity_no`."""
_DIRECTORY_POLICY = {"directory": f"SELECT TO {DIRECTORY_ROLE} USING true"}
_IN_DIRECTORY = ("entities", "events", "open_transactions")

INLETS = {"events_inlet": ["events"], "entries_inlet": ["entries"], "seals_inlet": ["seals"]}
"""Doors without policies and without rows, by the partitions that they lead to."""

_STATES = {"o": "on", "-": "off", "f": "forced upon the owner too"}


async def check_rights(connection: Any, queries: dict[str, str], findings: Findings) -> None:
    """Compare the roles' rights, and the tables' policies, with those of this release."""
    for role in await connection.fetch(queries["unknown_roles"], ROLES):
        findings.add(Rule.STRANGERS, f"role {role['name']} does not exist")
    for role, granted in GRANTS.items():
        found = {row["granted"] for row in await connection.fetch(queries["privileges"], role)}
        for right in sorted(found - granted):
            findings.add(_rule_of(right), f"role {role} has {right}, which is not granted by a migration")
        for right in sorted(granted - found):
            findings.add(_rule_of(right), f"role {role} lacks {right}, which a migration granted")
    await _check_policies(connection, queries, findings)
    for row in await connection.fetch(queries["views"]):
        findings.add(Rule.STRANGERS, f"view {row['name']} reads as its owner, past the policies")


async def _check_policies(connection: Any, queries: dict[str, str], findings: Findings) -> None:
    policies: dict[str, dict[str, str]] = {}
    for row in await connection.fetch(queries["policies"]):
        policies.setdefault(row["relation"], {})[row["name"]] = row["definition"]
    for row in await connection.fetch(queries["tenant_tables"]):
        table, found = row["name"], policies.pop(row["name"], {})
        if table in INLETS:
            if row["partitions"] != INLETS[table]:
                findings.add(
                    Rule.STRANGERS, f"table {table} leads to {row['partitions'] or 'nothing'}, expected {INLETS[table]}"
                )
            continue
        if row["security"] != "o":
            findings.add(Rule.STRANGERS, f"row-level security of {table} is {_STATES[row['security']]}, expected on")
        expected = {**POLICIES, **(_DIRECTORY_POLICY if table in _IN_DIRECTORY else {})}
        for name in sorted(expected.keys() | found.keys()):
            is_now, should_be = found.get(name, "missing"), expected.get(name, "missing")
            if is_now != should_be:
                findings.add(Rule.STRANGERS, f"policy {name} of {table} is {is_now!r}, expected {should_be!r}")
    for table, found in policies.items():
        findings.add(Rule.STRANGERS, f"table {table} has policies {sorted(found)}, expected none")


def _rule_of(right: str) -> Rule:
    """Seeing too much is rule 10, changing too much rule 6."""
    return Rule.STRANGERS if right.startswith(("SELECT", "EXECUTE", "USAGE", "BYPASSRLS")) else Rule.IMMUTABLE
