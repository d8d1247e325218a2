"""The bank's records of PKDD'99 through the whole service: statements in, planted differences out.

As tests/unit/test_matching_planted.py shows it of the engine alone. LEDGER_PLANTED_ACCOUNTS is how many
accounts; 0: all.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.table import Table

from ledger.v1 import reconciliation_pb2 as messages
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import ASSET, EXPENSE, REVENUE, new_account, new_entity, transfer
from tests.helpers.camt_writer import Booked, file_of, statement
from tests.helpers.planted import FILE, LedgerTransaction, PlantedAccount, plant
from tests.helpers.reconciling import Books, check_equation, decimal, noon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.helpers.rpc import Client

pytestmark = [
    pytest.mark.skipif(not FILE.exists(), reason="the bank's records (../shared/data/pkdd99) are not there"),
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

ACCOUNTS = int(os.environ.get("LEDGER_PLANTED_ACCOUNTS", "30"))
CURRENCY = "CZK"
PROFILE = messages.ReconciliationProfile(
    charges=[
        messages.ChargeTemplate(name=name, pattern=pattern, sign=sign, account_id=account, description=text)
        for name, pattern, sign, account, text in (
            ("interest", "urok", 1, "received", "Interest"),
            ("penalty interest", "sankc urok", -1, "paid", "Penalty interest"),
            ("charges", "sluzby", -1, "paid", "Charges of the bank"),
        )
    ]
)

Members = tuple[frozenset[int], frozenset[int]]


@dataclass
class Tally:
    """What was planted, matched and named, of all accounts."""

    planted: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    instead: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    true_pairs: int = 0
    matched_pairs: int = 0
    right_pairs: int = 0

    def count_matches(self, account: PlantedAccount, matches: list[Members]) -> None:
        """A pair with one of two doubles is right, with both it is not."""
        self.true_pairs += len(account.pairs)
        told: set[tuple[int, int]] = set()
        for lines, items in matches:
            pairs = [account.as_told(line, item) for line in lines for item in items]
            self.matched_pairs += len(pairs)
            self.right_pairs += sum(pair in account.pairs and pair not in told for pair in pairs)
            told.update(pairs)

    def count_findings(self, account: PlantedAccount, findings: list[tuple[str, Members]]) -> None:
        for difference in account.differences:
            self.planted[difference.kind] += 1
            members = (difference.lines, difference.transactions)
            if (difference.kind, members) in findings:
                self.named[difference.kind] += 1
            else:
                others = {
                    kind
                    for kind, (lines, items) in findings
                    if lines & difference.lines or items & difference.transactions
                }
                self.instead[difference.kind][", ".join(sorted(others)) or "-"] += 1

    def show(self) -> None:
        table = Table("kind", "planted", "named", "missed", "told instead", title="Planted differences, end to end")
        for kind in sorted(self.planted):
            missed = self.planted[kind] - self.named[kind]
            instead = "; ".join(f"{count} {what}" for what, count in self.instead[kind].most_common(3))
            table.add_row(kind, str(self.planted[kind]), str(self.named[kind]), str(missed), instead)
        console = Console(width=140)
        console.print(table)
        console.print(
            f"pairs: {self.true_pairs} true, {self.matched_pairs} matched, {self.right_pairs} of them right; "
            f"precision {self.right_pairs / self.matched_pairs:.4%}, recall {self.right_pairs / self.true_pairs:.4%}"
        )


def request_of(entity_id: str, one: LedgerTransaction) -> transactions.CreateTransactionRequest:
    debit, credit = ("bank", "received") if one.amount > 0 else ("paid", "bank")
    return transfer(
        entity_id, debit, credit, decimal(abs(one.amount)), currency=CURRENCY, effective_time=noon(one.date),
        idempotency_key=f"transaction {one.number}", reference=one.reference, counterparty=one.counterparty,
        description=one.description,
    )  # fmt: skip


async def post(books: Books, account: PlantedAccount) -> dict[str, int]:
    """The ledger's side; the number of each transaction by its id."""
    if not account.transactions:
        return {}
    message = transactions.BatchCreateTransactionsRequest(
        entity_id=books.entity_id, requests=[request_of(books.entity_id, one) for one in account.transactions]
    )
    answer = await books.client.transactions.BatchCreateTransactions(message)
    return {
        result.response.transaction.id: one.number
        for one, result in zip(account.transactions, answer.results, strict=True)
    }


def file_for(account: PlantedAccount) -> bytes:
    """The bank's side, in the order of its numbers: the service gives the lines the same ones."""
    lines = [
        Booked(one.booking_date, one.amount, one.reference, one.text, one.counterparty, one.code, one.value_date)
        for one in account.lines
    ]
    first = min((one.booking_date for one in account.lines), default=account.last_date)
    closing = sum(one.amount for one in lines)
    return file_of(
        statement(lines, opening=(first, 0), closing=(account.last_date, closing), currency=CURRENCY, account="CZ00")
    )


def members(lines: object, ids: object, numbers: Mapping[str, int]) -> Members:
    return frozenset(lines), frozenset(numbers[one] for one in ids)  # type: ignore[call-overload, attr-defined]


async def reconcile(client: Client, account: PlantedAccount, tally: Tally) -> None:
    entity_id = await new_entity(client)
    await new_account(client, entity_id, "bank", ASSET)
    await new_account(client, entity_id, "received", REVENUE)
    await new_account(client, entity_id, "paid", EXPENSE)
    books = Books(client, entity_id, "bank", CURRENCY)
    numbers = await post(books, account)
    # People write down before the bank does: the account's life begins before the first line.
    began = min([one.booking_date for one in account.lines] + [one.date for one in account.transactions])
    await books.call("StartReconciliation", date=began.isoformat(), statement_balance="0.00")
    await books.profile(PROFILE, "charges")
    imported = await books.send(file_for(account), currency="", file_name=f"account {account.account_id}")
    assert imported.lines == len(account.lines)
    await books.call("RunMatching")
    charge = messages.MATCH_RULE_KIND_CHARGE
    tally.count_matches(
        account,
        [
            members(one.line_numbers, one.transaction_ids, numbers)
            for one in await books.matches()
            if one.rule != charge
        ],
    )
    tally.count_findings(
        account,
        [
            (
                messages.FindingKind.Name(one.kind).removeprefix("FINDING_KIND_"),
                members(one.line_numbers, one.transaction_ids, numbers),
            )
            for one in await books.findings()
        ],
    )
    report = await books.report(account.last_date, max_open_items=10_000)
    check_equation(report, await books.ledger_balance(account.last_date))


async def test_planted_differences_end_to_end(client: Client) -> None:
    tally = Tally()
    every = await asyncio.to_thread(plant)
    # Spread over the whole bank, not its first accounts only.
    chosen = every[:: max(1, len(every) // ACCOUNTS)][:ACCOUNTS] if ACCOUNTS else every
    for account in chosen:
        await reconcile(client, account, tally)
    tally.show()
    assert tally.right_pairs / tally.matched_pairs >= 0.999
    assert tally.right_pairs / tally.true_pairs >= 0.98
    assert sum(tally.named.values()) / sum(tally.planted.values()) >= 0.98, tally.instead
