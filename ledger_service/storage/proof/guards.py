"""Rule 6: what guards the tables is all there: triggers and unique indexes (for rights and policies see rights).

Rows can be sound today and the next statement spoil them, if a trigger is switched off. The tables' owner
and superusers can do that; that they did is found here.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ledger_service.storage import migrate
from ledger_service.storage.proof.findings import Findings, Rule
from ledger_service.storage.proof.rights import FACTS

_WHOLE = "BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.{table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
_KEPT = "BEFORE DELETE OR TRUNCATE ON ledger.{table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
_CHANGED = "BEFORE UPDATE ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION {function}()"
_ADDED = (
    "AFTER INSERT ON ledger.{table} REFERENCING NEW TABLE AS new_{rows} "
    "FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
)
_AT_COMMIT = "AFTER INSERT ON ledger.{table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {function}()"
_OF_KINDS = _AT_COMMIT.replace("EXECUTE", "WHEN (((new.kinds IS NULL) OR ((new.kinds & 116224) <> 0))) EXECUTE")
_SET = "AFTER INSERT OR UPDATE ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION {function}()"
_MADE = "AFTER INSERT ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION {function}()"
_TOUCHED = "AFTER INSERT OR DELETE OR UPDATE ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION {function}()"
_GIVEN = "BEFORE INSERT OR UPDATE ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION {function}()"
_UNDER = "AFTER INSERT OR UPDATE OF parent_no ON ledger.{table} FOR EACH ROW EXECUTE FUNCTION {function}()"
_EMPTIED = "BEFORE TRUNCATE ON ledger.{table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"

_FROZEN = "BEFORE UPDATE OR TRUNCATE ON ledger.{table} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
_STAGED = (
    "AFTER {act} ON ledger.{{table}} REFERENCING {rows} TABLE AS staged_rows "
    "FOR EACH STATEMENT EXECUTE FUNCTION {{function}}()"
)
_STAGED_IN, _STAGED_OUT = _STAGED.format(act="INSERT", rows="NEW"), _STAGED.format(act="DELETE", rows="OLD")

TRIGGERS = {
    **{(table, "immutable"): (_FROZEN, "refuse_change") for table in (*FACTS, "reconciliation_stages")},
    **{(table, "check_added"): (_STAGED_IN, "check_staged") for table in FACTS},
    **{(table, "check_dropped"): (_STAGED_OUT, "check_staged") for table in FACTS},
    ("reconciliation_revisions", "immutable"): (_WHOLE, "refuse_change"),
    ("reconciliation_revisions", "check_revision"): (_MADE, "check_revision"),
    ("events", "immutable"): (_WHOLE, "refuse_change"),
    ("entries", "immutable"): (_WHOLE, "refuse_change"),
    ("events_inlet", "immutable"): (_WHOLE, "refuse_change"),
    ("entries_inlet", "immutable"): (_WHOLE, "refuse_change"),
    ("seals_inlet", "immutable"): (_WHOLE, "refuse_change"),
    ("commits", "immutable"): (_WHOLE, "refuse_change"),
    ("accounts", "immutable"): (_KEPT, "refuse_change"),
    ("entities", "immutable"): (_KEPT, "refuse_change"),
    ("events", "check_events"): (_ADDED, "check_events"),
    ("entries", "check_entries"): (_ADDED, "check_entries"),
    ("events_inlet", "check_events"): (_ADDED, "check_events"),
    ("entries_inlet", "check_entries"): (_ADDED, "check_entries"),
    ("commits", "check_commit"): (_AT_COMMIT, "check_commit"),
    ("accounts", "check_account"): (_MADE, "check_account"),
    ("accounts", "check_account_change"): (_CHANGED, "check_account_change"),
    ("account_limits", "immutable"): (_EMPTIED, "refuse_change"),
    ("account_limits", "check_limit"): (_SET, "check_limit"),
    ("account_limits", "check_limit_since"): (_SET, "check_limit_since"),
    ("accounts", "check_parent"): (_UNDER, "check_parent"),
    ("commits", "check_chart"): (_OF_KINDS, "check_chart"),
    ("account_limits", "check_limit_change"): (_TOUCHED, "check_limit_change"),
    ("categories", "immutable"): (_KEPT, "refuse_change"),
    ("categories", "check_category"): (_SET, "check_category"),
    ("credentials", "check_credential"): (_GIVEN, "check_credential"),
    ("entities", "check_entity"): (_AT_COMMIT, "check_entity"),
    ("entities", "check_entity_change"): (_CHANGED, "check_entity_change"),
    ("seals", "immutable"): (_WHOLE, "refuse_change"),
    ("seals", "check_seal"): (_MADE, "check_seal"),
    ("commits", "check_sealed"): (_AT_COMMIT, "check_sealed"),
}
"""By table and name: when each trigger must act, and its function."""

UNIQUE_INDEXES = {
    "events_pkey": "ledger.events USING btree (entity_no, sequence)",
    "events_by_key": "ledger.events USING btree (entity_no, idempotency_key) WHERE (idempotency_key IS NOT NULL)",
    "events_by_revision": "ledger.events USING btree (entity_no, transaction_no, revision) WHERE (revision > 1)",
    "entries_pkey": "ledger.entries USING btree (entity_no, sequence, kind, leg)",
    "entries_chain": "ledger.entries USING btree (entity_no, account_no, currency, number)",
    "commits_pkey": "ledger.commits USING btree (entity_no, last_sequence)",
    "commits_entity_no_first_sequence_key": "ledger.commits USING btree (entity_no, first_sequence)",
    "open_transactions_pkey": "ledger.open_transactions USING btree (entity_no, transaction_no)",
    "accounts_pkey": "ledger.accounts USING btree (entity_no, account_no)",
    "accounts_entity_no_account_id_key": "ledger.accounts USING btree (entity_no, account_id)",
    "categories_pkey": "ledger.categories USING btree (entity_no, category_no)",
    "categories_entity_no_category_id_key": "ledger.categories USING btree (entity_no, category_id)",
    "categories_by_name": "ledger.categories USING btree (entity_no, name) WHERE (state = 1)",
    "credentials_token_hmac_key": "ledger.credentials USING btree (token_hmac)",
    "credentials_by_certificate": "ledger.credentials USING btree (certificate_san) "
    "WHERE ((certificate_san IS NOT NULL) AND (revoked_time IS NULL))",
    "reconciliation_revisions_pkey": "ledger.reconciliation_revisions USING btree "
    "(entity_no, account_no, currency, revision)",
    "reconciliation_revisions_entity_no_stage_no_key": "ledger.reconciliation_revisions USING btree "
    "(entity_no, stage_no)",
    "reconciliation_reopenings": "ledger.reconciliation_revisions USING btree (entity_no, reopens) "
    "WHERE (reopens IS NOT NULL)",
    "reconciliation_stages_pkey": "ledger.reconciliation_stages USING btree (entity_no, stage_no)",
    "seals_pkey": "ledger.seals USING btree (entity_no, last_sequence)",
    "account_limits_pkey": "ledger.account_limits USING btree (entity_no, account_no, currency)",
}
"""Indexes that rules rest on when two writers race."""

_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ledger\.(\w+)\((.*?)\bAS \$\$(.*?)\$\$", re.DOTALL)
_COMMENT = re.compile(r"--.*")
_SETTING = re.compile(r"\bSET (\w+) = (.+?)\s*(?=\bSET\b|$)", re.DOTALL)


class _Function(NamedTuple):
    """What a function does, whether with its owner's rights, and under which settings."""

    body: str
    as_owner: bool
    settings: tuple[str, ...]


async def check_guards(connection: Any, queries: dict[str, str], findings: Findings) -> None:
    """Compare triggers, their functions and unique indexes with those of this release."""
    found = {row["name"]: row for row in await connection.fetch(queries["triggers"])}
    for (table, name), (when, function) in TRIGGERS.items():
        rows = table.removesuffix("_inlet")
        kind = "CONSTRAINT TRIGGER" if "DEFERRABLE" in when else "TRIGGER"
        definition = f"CREATE {kind} {name} {when.format(table=table, rows=rows, function=function)}"
        trigger = found.get(f"{table}.{name}")
        if trigger is None:
            findings.add(Rule.IMMUTABLE, f"trigger {name} on {table} is missing")
        elif trigger["enabled"] not in ("O", "A"):
            findings.add(
                Rule.IMMUTABLE, f"trigger {name} on {table} is switched off: state {trigger['enabled']}, expected O"
            )
        elif trigger["definition"] != definition:
            findings.add(
                Rule.IMMUTABLE, f"trigger {name} on {table} is {trigger['definition']!r}, expected {definition!r}"
            )
    functions: dict[str, list[_Function]] = {}
    for row in await connection.fetch(queries["functions"]):
        present = _Function(row["body"], row["as_owner"], tuple(sorted(row["settings"])))
        functions.setdefault(row["name"], []).append(present)
    for name, expected in _migrated_functions().items():
        # One of each name: which of two is called depends on how.
        if functions.get(name) != [expected]:
            state = "missing" if name not in functions else "not the one of this release's migrations"
            findings.add(Rule.IMMUTABLE, f"function {name} is {state}")
    indexes = {row["name"]: row["definition"] for row in await connection.fetch(queries["indexes"])}
    for name, columns in UNIQUE_INDEXES.items():
        definition = f"CREATE UNIQUE INDEX {name} ON {columns}"
        if indexes.get(name) != definition:
            is_now = indexes.get(name, "missing or invalid")
            findings.add(Rule.IMMUTABLE, f"unique index {name} is {is_now!r}, expected {definition!r}")


def _migrated_functions() -> dict[str, _Function]:
    """Each function as the migrations leave it."""
    found = {}
    for _, _, text in migrate.migrations():
        for name, head, body in _FUNCTION.findall(text):
            head = _COMMENT.sub("", head).strip()  # noqa: PLW2901  # without what is said about it
            settings = tuple(sorted(f"{setting}={value}" for setting, value in _SETTING.findall(head)))
            found[name] = _Function(body, "SECURITY DEFINER" in head, settings)
    return found
