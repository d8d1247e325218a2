"""Reading the ledger back, and printing what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bank_history.chart import CORRESPONDENTS, CURRENCY, CUSTOMERS, customer_account
from bank_history.figures import Agreement, Comparison, TrialLine, end_of, trial_balance
from bank_history.posting import Tally
from bank_history.records import EXPONENT, Record
from ledger_client import LedgerClient, messages, paginate, timestamp, to_minor_units

_PAGE = 1000
_BALANCES_PER_CALL = 1000


@dataclass(frozen=True, slots=True)
class Book:
    """An entity's chart of accounts as of one sequence: all reports of a run speak of the same moment.

    Attributes:
        entity_id: the entity.
        sequence: everything up to here is counted, nothing after it.
        accounts: all accounts with their depths, parents before their children.
    """

    entity_id: str
    sequence: int
    accounts: Sequence[tuple[messages.Account, int]]

    def groups(self) -> dict[str, str]:
        """For each account the name under which a trial balance counts it: customers and banks together."""
        names = {account.id: account.name for account, _ in self.accounts}
        together = {CUSTOMERS, CORRESPONDENTS}
        return {
            account.id: names[account.parent_id] if account.parent_id in together else account.name
            for account, _ in self.accounts
        }


async def open_book(client: LedgerClient, entity_id: str) -> Book:
    """Read the chart as it is now."""
    entity = await client.entities.GetEntity(messages.GetEntityRequest(entity_id=entity_id))
    request = messages.ListAccountsRequest(entity_id=entity_id, page_size=_PAGE, tree=True)
    accounts = [
        (account, depth)
        async for page in paginate(client.accounts.ListAccounts, request)
        for account, depth in zip(page.accounts, page.depths, strict=True)
    ]
    return Book(entity_id, entity.entity.sequence, accounts)


async def read_nets(
    client: LedgerClient, book: Book, *, effective: datetime | None = None, roll_up: bool = False
) -> dict[str, int]:
    """Debits less credits of every account, in minor units, by id.

    Args:
        client: the client.
        book: which accounts, and as known at which sequence.
        effective: count only what is effective at or before this time; None: all.
        roll_up: each account with everything below it.
    """
    moment = messages.BalanceMoment(known_sequence=book.sequence)
    if effective is not None:
        moment.effective_time.CopyFrom(timestamp(effective))
    ids = [account.id for account, _ in book.accounts]
    nets: dict[str, int] = {}
    for start in range(0, len(ids), _BALANCES_PER_CALL):
        answer = await client.accounts.BatchGetBalances(
            messages.BatchGetBalancesRequest(
                entity_id=book.entity_id,
                account_ids=ids[start : start + _BALANCES_PER_CALL],
                currency=CURRENCY,
                moment=moment,
                include_subtree=roll_up,
            )
        )
        for account in answer.accounts:
            nets[account.account_id] = sum(_net(balance.totals) for balance in account.balances)
    return nets


def _net(totals: messages.Totals) -> int:
    return to_minor_units(totals.debits_posted, EXPONENT) - to_minor_units(totals.credits_posted, EXPONENT)


def customer_balances(nets: Mapping[str, int], records: Sequence[Record]) -> dict[str, int]:
    """What each customer has on account, by customer number: credits less debits."""
    return {record.customer: -nets[customer_account(record.customer)] for record in records}


def amount(units: int) -> str:
    """Minor units for people: -123456 is "-1,234.56"."""
    whole, decimals = divmod(abs(units), 10**EXPONENT)
    return f"{'-' if units < 0 else ''}{whole:,}.{decimals:0{EXPONENT}d}"


def print_chart(console: Console, book: Book, rolled_up: Mapping[str, int], *, customers: bool) -> None:
    """The chart of accounts, each with its balance and all below it, on its normal side.

    Customers are one line unless `customers` is True.
    """
    table = Table(title=f"Chart of accounts of {book.entity_id}, {CURRENCY}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("code")
    table.add_column("account")
    table.add_column("balance", justify="right")
    folded = [account for account, _ in book.accounts if account.parent_id == CUSTOMERS]
    for account, depth in book.accounts:
        if account.parent_id == CUSTOMERS and not customers:
            continue
        net = rolled_up[account.id]
        balance = net if account.normal_side == messages.SIDE_DEBIT else -net
        style = "bold" if depth == 0 else ""
        table.add_row(account.code, Text("  " * depth + account.name), amount(balance), style=style)
        if account.id == CUSTOMERS and not customers:
            overdrawn = sum(rolled_up[customer.id] > 0 for customer in folded)
            note = f"{len(folded)} accounts, {overdrawn} overdrawn (--customers)"
            table.add_row("", Text("  " * (depth + 1) + note, style="dim"), "")
    console.print(table)


async def print_trial_balances(console: Console, client: LedgerClient, book: Book, ends: Sequence[date]) -> bool:
    """A trial balance for each month end; True when every one of them nets to zero."""
    groups = book.groups()
    table = Table(title=f"Trial balances, {CURRENCY}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("month end")
    table.add_column("account")
    table.add_column("debit", justify="right")
    table.add_column("credit", justify="right")
    balanced = True
    for end in ends:
        lines = trial_balance(await read_nets(client, book, effective=end_of(end)), groups)
        balanced = _add_trial_balance(table, end, lines) and balanced
    console.print(table)
    return balanced


def _add_trial_balance(table: Table, end: date, lines: Sequence[TrialLine]) -> bool:
    """One month end's lines and their totals; True when it nets to zero."""
    for position, line in enumerate(lines):
        label = end.isoformat() if position == 0 else ""
        table.add_row(
            label,
            line.group,
            amount(line.debit) if line.debit else "",
            amount(line.credit) if line.credit else "",
        )
    debit, credit = sum(line.debit for line in lines), sum(line.credit for line in lines)
    difference = debit - credit
    verdict = "nets to zero" if difference == 0 else f"OFF BY {amount(difference)}"
    style = "bold" if difference == 0 else "bold red"
    label = "" if lines else end.isoformat()
    table.add_row(label, verdict, amount(debit), amount(credit), style=style, end_section=True)
    return difference == 0


def print_comparison(console: Console, comparisons: Sequence[Comparison], agreement: Agreement) -> None:
    """Whose balance is not what the bank stated, and the largest difference of all."""
    off = sorted((c for c in comparisons if c.difference), key=lambda c: -c.difference)
    for comparison in off[: agreement.off]:
        console.print(
            f"customer {comparison.customer}: ledger {amount(comparison.ledger)}, "
            f"bank {amount(comparison.stated)}, off by {amount(comparison.difference)}",
            style="red",
            soft_wrap=True,
        )
    largest = off[0].difference if off else 0
    console.print(f"largest difference from the bank's stated balances: {amount(largest)} {CURRENCY}")


def print_refusals(console: Console, tally: Tally) -> None:
    """Every record that the ledger did not take."""
    for record, error in tally.refused:
        console.print(f"refused: record {record.number} (line {record.line}): {error}", style="red", soft_wrap=True)


def summary(tally: Tally, comparisons: Sequence[Comparison], agreement: Agreement) -> str:
    """The last line."""
    return (
        f"posted {tally.posted}, replayed {tally.replayed}, customers {len(comparisons)}, "
        f"exact {agreement.exact}, within 1.00 {agreement.within}, off {agreement.off}"
    )
