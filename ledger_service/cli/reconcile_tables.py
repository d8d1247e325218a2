"""Lists of a reconciliation in the terminal: made for 80 columns and more, in colour and plain in a pipe.

All take messages of the API. Amounts and ids are whole at any width; texts have the room that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from ledger_client import messages, to_minor_units
from ledger_service.cli import reconcile_convert as convert
from ledger_service.cli.columns import Column, print_columns
from ledger_service.rendering import words
from ledger_service.rendering.words import counted, grouped, printable

_WIDE: Final = 120
"""A terminal of so many columns has room for more columns of text."""

_STATE_STYLES: Final = {
    "OPEN": "yellow", "PROPOSED": "yellow", "CONFIRMED": "green", "REJECTED": "red", "UNDONE": "dim",
}  # fmt: skip


def new_console() -> Console:
    """Where answers go: standard output."""
    return Console(highlight=False)


def print_statements(console: Console, statements: Sequence[messages.Statement]) -> None:
    """A line for each statement of a file, and what contradicts itself in it."""
    for one in statements:
        parts = [
            f"opening {_told(one.opening_balance)}",
            counted(one.lines, "line") + (f" of {_amount_text(one.sum)}" if one.lines else ""),
            *([f"{one.known_lines:,} here already"] if one.known_lines else ()),
            f"closing {_told(one.closing_balance)}" + (f" on {one.closing_date}" if one.closing_date else ""),
        ]
        head = Text.assemble((f"  statement {one.number}", "bold"), f"  {', '.join(parts)}")
        console.print(head, soft_wrap=True)
        for text in one.contradictions:
            console.print(Text(f"    {printable(text)}", style="yellow"), soft_wrap=True)


def print_lines(console: Console, lines: Sequence[messages.StatementLine]) -> None:
    """Lines of statements."""
    is_wide = console.width >= _WIDE
    columns = (
        Column("line", right=True),
        *((Column("statement", right=True),) if is_wide else ()),
        Column("booked"),
        Column("amount", right=True),
        Column("state"),
        Column("counterparty, reference, text", flexible=True),
    )
    rows: list[list[Text | str]] = [
        [
            str(one.number),
            *([str(one.statement_number)] if is_wide else []),
            one.booking_date,
            _amount(one.amount),
            _item_state(one.state, one.match_number),
            _about(one.counterparty, *one.references[:1], one.text),
        ]
        for one in lines
    ]
    _print(console, columns, rows)


def print_items(console: Console, items: Sequence[messages.LedgerItem]) -> None:
    """What transactions did to the account."""
    if console.width >= _WIDE:
        columns: tuple[Column, ...] = (
            Column("date"),
            Column("amount", right=True),
            Column("state"),
            Column("status"),
            Column("transaction"),
            Column("counterparty, reference, text", flexible=True),
        )
    else:
        columns = (
            Column("date"),
            Column("amount", right=True),
            Column("state"),
            Column("counterparty, reference, text, transaction", flexible=True, wraps=True),
        )
    rows: list[list[Text | str]] = []
    for one in items:
        row: list[Text | str] = [one.date, _amount(one.amount), _item_state(one.state, one.match_number)]
        about = _about(one.counterparty, one.reference, one.description)
        if console.width >= _WIDE:
            row += [one.status, one.transaction_id, about]
        else:
            row.append(Text.assemble(f"{about}\n" if about else "", (one.transaction_id, "dim")))
        rows.append(row)
    _print(console, columns, rows)


def print_matches(console: Console, matches: Sequence[messages.ReconciliationMatch]) -> None:
    """Matches, what they consist of and why."""
    columns = (
        Column("match", right=True),
        Column("state"),
        Column("score", right=True),
        Column("difference", right=True),
        Column("matched by, and why", flexible=True, wraps=True),
    )
    rows: list[list[Text | str]] = []
    for one in matches:
        state = convert.match_state(one.state)
        about = Text.assemble(
            words.rule_name(convert.rule(one.rule)),
            (f": {printable(one.reason)}" if one.reason else "", "dim"),
            f"\n{members(one.line_numbers, one.transaction_ids)}",
        )
        if one.HasField("write_off"):
            booked = f"booked as {one.write_off.transaction_id}" if one.write_off.transaction_id else "not booked yet"
            text = f"{printable(one.write_off.description)}: {_amount_text(one.write_off.amount)}"
            about.append(f"\nwrite-off to {one.write_off.account_id}, {booked}: {text}", style="yellow")
        if one.decided_by:
            about.append(f"\n{state.lower()} by {printable(one.decided_by)}", style="dim")
        if one.note:
            about.append(f"\nnote: {printable(one.note)}", style="dim")
        rows.append([str(one.number), _state(state), str(one.score), _amount(one.difference), about])
    _print(console, columns, rows)


def print_findings(console: Console, findings: Sequence[messages.ReconciliationFinding]) -> None:
    """What the last run found, item by item."""
    columns = (
        Column("what"),
        Column("amount", right=True),
        Column("where, and why", flexible=True, wraps=True),
    )
    rows: list[list[Text | str]] = []
    for one in findings:
        about = Text.assemble(
            members(one.line_numbers, one.transaction_ids), (f"\n{printable(one.reason)}" if one.reason else "", "dim")
        )
        for place, option in enumerate(one.options, 1):
            pairs = "; ".join(members(pair.line_numbers, pair.transaction_ids) for pair in option.pairs)
            about.append(f"\neither {place}: {pairs}" if place == 1 else f"\nor {place}: {pairs}")
        rows.append([words.finding_name(convert.finding(one.kind)), _amount(one.amount), about])
    _print(console, columns, rows)


def print_reconciliations(console: Console, found: Sequence[messages.ReconciliationSummary]) -> None:
    """Reconciliations of an entity, or closings of one."""
    columns = (
        Column("account", flexible=True),
        Column("currency"),
        Column("state"),
        Column("date"),
        Column("statement", right=True),
        Column("ledger", right=True),
        Column("by"),
    )
    rows: list[list[Text | str]] = [
        [
            one.account_id,
            one.currency,
            Text("reopened", style="dim") if one.is_reopened else Text("closed" if one.is_closed else "open"),
            one.date or Text("not told", style="dim"),
            _amount(one.statement_balance),
            _amount(one.ledger_balance),
            printable(one.closed_by),
        ]
        for one in found
    ]
    _print(console, columns, rows)


def print_failures(console: Console, failures: Sequence[messages.ReconciliationFailure]) -> None:
    """What was refused on the way."""
    columns = (Column("match", right=True), Column("refused, and why", flexible=True, wraps=True))
    rows: list[list[Text | str]] = [
        [
            str(one.match_number),
            f"{one.transaction_id or 'its write-off'}: {printable(one.message)} ({one.reason})",
        ]
        for one in failures
    ]
    print_columns(console, columns, rows)


def members(lines: Iterable[int], transactions: Iterable[str]) -> str:
    """What belongs together: "line 3 and txn_…", "lines 3, 4", "txn_… and txn_…"."""
    numbers, ids = [str(one) for one in lines], [printable(one) for one in transactions]
    left = f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""
    return " and ".join(part for part in (left, ", ".join(ids)) if part)


def _print(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text | str]]) -> None:
    if rows:
        print_columns(console, columns, rows)
    else:
        console.print(Text("none", style="dim"))


def _item_state(state: int, match: int) -> Text:
    name = convert.item_state(state)
    # What a match is worth stands with the match; here its number is what one looks for.
    text = name.lower() if not match else f"{'matched' if name == 'CONFIRMED' else name.lower()} {match}"
    return Text(text, style=_STATE_STYLES.get(name, ""))


def _state(name: str) -> Text:
    return Text(name.lower(), style=_STATE_STYLES.get(name, ""))


def _about(*parts: str) -> str:
    return " · ".join(printable(part) for part in parts if part)


def _told(amount: str) -> str:
    return _amount_text(amount) or "not told"


def _amount_text(amount: str) -> str:
    if not amount:
        return ""
    exponent = convert.exponent_of(amount)
    return grouped(to_minor_units(amount, exponent), exponent)


def _amount(amount: str) -> Text:
    """An amount of an answer; "" is not told."""
    if not amount:
        return Text("")
    units = to_minor_units(amount, convert.exponent_of(amount))
    return Text(_amount_text(amount), style="red" if units < 0 else "dim" if units == 0 else "")
