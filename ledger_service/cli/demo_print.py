"""How the demo looks: one line for each step, the chart of accounts as a tree, the trial balance.

Made for 80 columns, in colour on a terminal and plain in a pipe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ledger_client import messages, to_decimal
from ledger_service.cli.demo_story import CURRENCY, OWN, WALLETS, Books

_KIND_WIDTH = 10
_WHAT_WIDTH = 26
_AMOUNT_WIDTH = 7
_STYLES = {
    "refused": "red",
    "replay": "yellow",
    "hold": "magenta",
    "release": "magenta",
    "reversal": "yellow",
}


class StepPrinter:
    """Prints steps as they happen, numbered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    def print_heading(self) -> None:
        """The line above the steps."""
        line = _columns("#", "step", "", CURRENCY, "balance after (of it free)")
        self._console.print(Text(line), style="dim", no_wrap=True, overflow="ellipsis")

    def step(self, kind: str, what: str, amount: str, balances: Iterable[messages.Balance]) -> None:
        """Print one step: a word for it, a few words about it, the amount, and balances after it."""
        self._number += 1
        line = Text(_columns(str(self._number), kind, what, amount, "  ".join(_balances(balances))))
        start = len("## ")
        line.stylize(_STYLES.get(kind, "green"), start, start + _KIND_WIDTH)
        self._console.print(line, no_wrap=True, overflow="ellipsis")


def _columns(number: str, kind: str, what: str, amount: str, balances: str) -> str:
    return f"{number:>2} {kind:<{_KIND_WIDTH}} {what:<{_WHAT_WIDTH}} {amount:>{_AMOUNT_WIDTH}}  {balances}"


def _balances(balances: Iterable[messages.Balance]) -> list[str]:
    """What to say of wallets, or else of the marketplace's own: posted, and what is free if it differs."""
    touched = {balance.account_id: balance for balance in balances}
    names = {**OWN, **WALLETS} if WALLETS.keys().isdisjoint(touched) else WALLETS
    told = []
    for account_id in names.keys() & touched.keys():
        balance = touched[account_id]
        free = "" if balance.available == balance.posted else f" ({balance.available.amount})"
        told.append(f"{names[account_id]} {balance.posted.amount}{free}")
    return sorted(told)


def tree_guides(depths: Sequence[int], *, ascii_only: bool = False) -> list[str]:
    """The lines to the left of a tree's rows, given each row's depth, parents before their children."""
    bar, fork, corner = ("|  ", "+- ", "`- ") if ascii_only else ("│  ", "├─ ", "└─ ")
    guides = []
    for row, depth in enumerate(depths):
        parts = [bar if _has_sibling_below(depths, row, level) else "   " for level in range(1, depth)]
        if depth > 0:
            parts.append(fork if _has_sibling_below(depths, row, depth) else corner)
        guides.append("".join(parts))
    return guides


def _has_sibling_below(depths: Sequence[int], row: int, level: int) -> bool:
    """Whether the branch at `level` goes on below this row before it ends."""
    for depth in depths[row + 1 :]:
        if depth <= level:
            return depth == level
    return False


def print_chart(console: Console, books: Books) -> None:
    """The chart of accounts; every account with all below it."""
    table = Table(title=f"Chart of accounts, {CURRENCY}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("account", no_wrap=True)
    table.add_column("code")
    table.add_column("posted", justify="right")
    table.add_column("free", justify="right")
    guides = tree_guides([depth for _, depth in books.accounts], ascii_only=console.options.ascii_only)
    for (account, depth), guide in zip(books.accounts, guides, strict=True):
        balance = books.rolled_up[account.id]
        posted, available = _shown(balance.posted.amount), _shown(balance.available.amount)
        name = Text.assemble((guide, "dim"), account.name)
        table.add_row(name, account.code, posted, available, style="bold" if depth == 0 else "")
    console.print(table)


def print_trial_balance(console: Console, books: Books) -> bool:
    """Every account's own balance in its column, and the sums; True when they are equal."""
    table = Table(title=f"Trial balance, {CURRENCY}", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True)
    debits = credits_ = Decimal(0)
    rows: list[tuple[str, str, Decimal]] = []
    for account, _ in books.accounts:
        totals = books.own[account.id].totals
        net = to_decimal(totals.debits_posted) - to_decimal(totals.credits_posted)
        if net:
            rows.append((account.code, account.name, net))
        debits, credits_ = debits + max(net, Decimal(0)), credits_ - min(net, Decimal(0))
    balanced = debits == credits_
    table.add_column("code")
    table.add_column("account", "nets to zero" if balanced else f"OFF BY {debits - credits_:,}")
    table.add_column("debit", f"{debits:,}", justify="right")
    table.add_column("credit", f"{credits_:,}", justify="right")
    for code, name, net in rows:
        table.add_row(code, name, f"{net:,}" if net > 0 else "", f"{-net:,}" if net < 0 else "")
    table.columns[1].footer_style = "bold green" if balanced else "bold red"
    console.print(table)
    return balanced


def _shown(amount: str) -> str:
    return f"{to_decimal(amount):,}"
