"""Writes what a change of a reconciliation adds, under a stage that does not count yet, and clears it away again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import asyncpg

from ledger_service.application.reconciling.staging import Book, Stage
from ledger_service.storage import sql

_QUERIES = sql.load("reconciliation.sql")

_ROWS_AT_ONCE = 5_000
"""Rows of one statement: bounds the memory that it takes, here and in the server."""

_Row = TypeVar("_Row")


async def insert(connection: Any, book: Book, stage_no: int, stage: Stage) -> None:
    """Write all rows of a change."""
    entity_no = book.entity_no
    await connection.execute(_QUERIES["insert_stage"], *book, stage_no)
    if stage.profile is not None:
        await connection.execute(_QUERIES["insert_profile"], entity_no, stage_no, stage.profile)
    if stage.file is not None:
        await connection.execute(_QUERIES["insert_file"], entity_no, stage_no, *stage.file)
    if stage.statements:
        await connection.executemany(
            _QUERIES["insert_statement"], [(*book, stage_no, *statement) for statement in stage.statements]
        )
    for lines in batched(stage.lines):
        rows = [
            line._replace(references=json.dumps(line.references), parts=json.dumps([str(part) for part in line.parts]))  # type: ignore[arg-type]
            for line in lines
        ]
        await connection.execute(_QUERIES["insert_lines"], *book, stage_no, *_columns(rows))
    for matches in batched(stage.matches):
        rows = [
            match._replace(lines=json.dumps(match.lines), transactions=json.dumps(match.transactions))  # type: ignore[arg-type, misc]
            for match in matches
        ]
        await connection.execute(_QUERIES["insert_matches"], *book, stage_no, *_columns(rows))
    for decisions in batched(stage.decisions):
        await connection.execute(_QUERIES["insert_decisions"], *book, stage_no, *_columns(decisions))
    for findings in batched(list(enumerate(stage.findings, 1))):
        found = [
            (
                number, one.kind.value, json.dumps(one.lines), json.dumps(one.transactions), one.amount, one.why,
                json.dumps([option.pairs for option in one.options]) if one.options else None,
            )
            for number, one in findings
        ]  # fmt: skip
        await connection.execute(_QUERIES["insert_findings"], entity_no, stage_no, *_columns(found))
    if stage.baseline is not None:
        one = stage.baseline
        await connection.execute(
            _QUERIES["insert_baseline"], entity_no, stage_no, one.until, one.statement_balance, one.ledger_balance,
            one.settled_statement, one.settled_ledger, one.sequence, one.entry_number, one.line_number,
            one.match_number, one.carried_transactions, one.carried_amounts, one.carried_lines, one.carried_matches,
            one.report,
        )  # fmt: skip
    if stage.frozen:
        await connection.execute(_QUERIES["insert_frozen"], entity_no, stage_no, list(stage.frozen))


_FACTS = (
    "reconciliation_profiles", "statement_files", "statements", "statement_lines", "reconciliation_matches",
    "reconciliation_decisions", "reconciliation_findings", "reconciliation_baselines", "frozen_transactions",
)  # fmt: skip


async def delete(connection: Any, book: Book, stage_no: int) -> None:
    """Clear a stage away, unless it counts."""
    try:
        # First of all: if it counts, or comes to count right now, the foreign key of its revision refuses this.
        await connection.execute(
            "DELETE FROM reconciliation_stages WHERE entity_no = $1 AND stage_no = $2", book.entity_no, stage_no
        )
    except asyncpg.ForeignKeyViolationError:
        return
    for facts in _FACTS:
        statement = f"DELETE FROM {facts} WHERE entity_no = $1 AND stage_no = $2"  # noqa: S608  # names of ours
        await connection.execute(statement, book.entity_no, stage_no)


def batched(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """The rows, as many at a time as one statement takes."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        yield list(rows[first : first + _ROWS_AT_ONCE])


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
