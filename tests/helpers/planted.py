"""A bank's statements, and a ledger beside them in which differences are planted and remembered.

From the records of PKDD'99: what each customer's account has had. The statement has what the bank has; the ledger is
the customer's own, kept by people: other words, days that differ by one now and then, and planted mistakes. Both have
references only where a bank carries them, on transfers; cash and what the bank books itself have none.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "pkdd99" / "transactions.csv"

SHARE = 0.05
"""Of all records, for each kind of difference."""
KINDS = (
    "MISSING_IN_LEDGER", "MISSING_ON_STATEMENT", "DUPLICATE_IN_LEDGER", "DUPLICATE_ON_STATEMENT", "AMOUNT_DIFFERS",
    "DATE_DIFFERS", "BATCHED", "REFERENCES_SWAPPED",
)  # fmt: skip
"""In the order of planting, but for REFERENCES_SWAPPED, which goes first: only transfers can have it."""
USUAL_DAYS = 3
"""What the default profile takes for usual: a transaction so near to the end, without a line, is in transit."""

_WORDS = {
    ("VKLAD", ""): "Cash paid in", ("VYBER", ""): "Cash taken out", ("VYBER KARTOU", ""): "Cash by card",
    ("", "UROK"): "Interest received", ("VYBER", "SLUZBY"): "Bank charges",
    ("VYBER", "SANKC. UROK"): "Penalty interest",
    ("PREVOD NA UCET", "SIPO"): "Household", ("PREVOD NA UCET", "POJISTNE"): "Insurance",
    ("PREVOD NA UCET", "UVER"): "Loan", ("PREVOD Z UCTU", "DUCHOD"): "Pension",
}  # fmt: skip
_CHARGES = ("UROK", "SLUZBY", "SANKC. UROK")


@dataclass(frozen=True, slots=True)
class StatementLine:
    """What the bank says. `amount` in minor units, positive came in."""

    number: int
    booking_date: date
    value_date: date
    amount: int
    reference: str
    counterparty: str
    text: str
    code: str


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """What the customer has recorded. `amount` in minor units, positive came in."""

    number: int
    date: date
    amount: int
    reference: str
    counterparty: str
    description: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A planted one: its kind (a FindingKind), and the members it is about, by number."""

    kind: str
    lines: frozenset[int]
    transactions: frozenset[int]


@dataclass(slots=True)
class PlantedAccount:
    """One account: both sides, and the truth that the matching must not see."""

    account_id: str
    lines: list[StatementLine] = field(default_factory=list)
    transactions: list[LedgerTransaction] = field(default_factory=list)
    pairs: set[tuple[int, int]] = field(default_factory=set)
    """Numbers (line, transaction) that truly belong together; a batch has several."""
    original_lines: dict[int, int] = field(default_factory=dict)
    original_transactions: dict[int, int] = field(default_factory=dict)
    """Of a double, what it doubles. Nothing tells which of the two is the surplus one, so a pair with either is right
    (see `as_told`), but never with both."""
    differences: list[Difference] = field(default_factory=list)
    last_date: date = date.min
    """The closing date of its statement."""

    def as_told(self, line: int, transaction: int) -> tuple[int, int]:
        """The pair as `pairs` has it if it is right: doubles stand for their originals."""
        return self.original_lines.get(line, line), self.original_transactions.get(transaction, transaction)


def plant(seed: int = 1) -> list[PlantedAccount]:
    """All accounts, with SHARE of the records planted with each kind of difference."""
    chance = random.Random(seed)
    with FILE.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file, delimiter=";"))
    kinds = _choose(records, chance)
    accounts: dict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        accounts[record["account_id"]].append(place)
    last_date = max(_date(record) for record in records)
    planted = []
    for account_id in sorted(accounts, key=int):
        account = _Account(account_id, chance)
        account.add(
            [records[place] for place in accounts[account_id]], [kinds.get(place, "") for place in accounts[account_id]]
        )
        planted.append(account.finished(last_date))
    return planted


def _choose(records: list[dict[str, str]], chance: random.Random) -> dict[int, str]:
    """Which record gets which difference; at most one each. Swapped references come in twos, "REFERENCES_SWAPPED:n"."""
    wanted = round(len(records) * SHARE)
    kinds: dict[int, str] = {}
    transfers: dict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        if record["bank"].strip():
            transfers[record["account_id"]].append(place)
    # Two payments of one account, entered one after the other, by somebody who mixes their references up.
    neighbours = [
        (one, other)
        for places in transfers.values()
        for one, other in pairwise(places)
        if abs((_date(records[one]) - _date(records[other])).days) <= 10
        and _amount(records[one]) != _amount(records[other])
    ]
    chance.shuffle(neighbours)
    for one, other in neighbours:
        if one not in kinds and other not in kinds and len(kinds) < wanted:
            kinds[one] = kinds[other] = f"REFERENCES_SWAPPED:{one}"
    free = [place for place in range(len(records)) if place not in kinds]
    chance.shuffle(free)
    deposits = [place for place in free if _amount(records[place]) >= 50_000 and records[place]["operation"] == "VKLAD"]
    kinds.update((place, "BATCHED") for place in deposits[:wanted])
    free = [place for place in free if place not in kinds]
    for kind in KINDS:
        if kind not in {"BATCHED", "REFERENCES_SWAPPED"}:
            kinds.update((free.pop(), kind) for _ in range(wanted))
    return kinds


class _Account:
    """Writes both sides of one account."""

    def __init__(self, account_id: str, chance: random.Random) -> None:
        self._account_id, self._chance = account_id, chance
        self._lines: list[StatementLine] = []
        self._transactions: list[LedgerTransaction] = []
        self._pairs: list[tuple[int, int]] = []
        self._differences: list[tuple[str, list[int], list[int]]] = []
        self._swapped: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def add(self, records: list[dict[str, str]], kinds: list[str]) -> None:
        for record, kind in zip(records, kinds, strict=True):
            self._add(record, kind)
        for both in self._swapped.values():
            (one_line, one), (other_line, other) = both
            first, second = self._transactions[one], self._transactions[other]
            self._transactions[one] = replace(first, reference=second.reference)
            self._transactions[other] = replace(second, reference=first.reference)
            self._differences.append(("REFERENCES_SWAPPED", [one_line, other_line], [one, other]))

    def _add(self, record: dict[str, str], kind: str) -> None:
        line = self._line(record)
        transaction = self._transaction(record)
        if kind == "MISSING_IN_LEDGER":
            is_charge = record["k_symbol"].strip() in _CHARGES
            self._differences.append(("CHARGE" if is_charge else kind, [self._put(line)], []))
            return
        if kind == "MISSING_ON_STATEMENT":
            self._differences.append((kind, [], [self._record(transaction)]))
            return
        left = self._put(line)
        if kind == "BATCHED":
            parts = [self._record(part) for part in self._split(transaction)]
            self._pairs += [(left, part) for part in parts]
            self._differences.append((kind, [left], parts))
            return
        if kind == "AMOUNT_DIFFERS":
            transaction = replace(transaction, amount=transaction.amount + self._chance.choice((-1, 1)))
        elif kind == "DATE_DIFFERS":
            days = self._chance.choice((-1, 1)) * self._chance.randint(USUAL_DAYS + 1, 10)
            transaction = replace(transaction, date=line.booking_date + timedelta(days))
        right = self._record(transaction)
        self._pairs.append((left, right))
        if kind == "DUPLICATE_ON_STATEMENT":
            later = timedelta(self._chance.choice((0, 1)))
            copy = replace(line, booking_date=line.booking_date + later, value_date=line.value_date + later)
            self._differences.append((kind, [self._put(copy), left], []))
        elif kind == "DUPLICATE_IN_LEDGER":
            later = timedelta(self._chance.choice((0, 1)))
            self._differences.append(
                (kind, [], [self._record(replace(transaction, date=transaction.date + later)), right])
            )
        elif kind in {"AMOUNT_DIFFERS", "DATE_DIFFERS"}:
            self._differences.append((kind, [left], [right]))
        elif kind:
            self._swapped[kind].append((left, right))

    def _line(self, record: dict[str, str]) -> StatementLine:
        is_transfer = bool(record["bank"].strip())
        return StatementLine(
            number=0,
            booking_date=_date(record),
            value_date=_date(record),
            amount=_amount(record),
            reference=f"TR{int(record['trans_id']):010d}" if is_transfer else "",
            counterparty=f"{record['bank']} {record['account']}" if is_transfer else "",
            text=" ".join(f"{record['operation']} {record['k_symbol']}".split()),
            code=record["type"],
        )

    def _transaction(self, record: dict[str, str]) -> LedgerTransaction:
        is_transfer = bool(record["bank"].strip())
        # People write things down on the day, or on the one before the bank does.
        early = timedelta(1 if self._chance.random() < 0.2 else 0)
        incoming, key = _amount(record) > 0, (record["operation"], record["k_symbol"].strip())
        return LedgerTransaction(
            number=0,
            date=_date(record) - early,
            amount=_amount(record),
            reference=f"tr-{record['trans_id']}" if is_transfer else "",
            counterparty=f"{record['account']}/{record['bank']}" if is_transfer else "",
            description=_WORDS.get(key, "Received" if incoming else "Paid"),
        )

    def _split(self, transaction: LedgerTransaction) -> list[LedgerTransaction]:
        """Two to four deposits in whole crowns that the bank has booked as one."""
        count = self._chance.randint(2, 4)
        crowns, rest = divmod(transaction.amount, 100)
        cuts = sorted(self._chance.sample(range(1, crowns), count - 1))
        parts = [(high - low) * 100 for low, high in zip([0, *cuts], [*cuts, crowns], strict=True)]
        parts[-1] += rest
        return [
            replace(transaction, amount=part, date=transaction.date - timedelta(self._chance.choice((0, 0, 1))))
            for part in parts
        ]

    def _put(self, line: StatementLine) -> int:
        self._lines.append(line)
        return len(self._lines) - 1

    def _record(self, transaction: LedgerTransaction) -> int:
        self._transactions.append(transaction)
        return len(self._transactions) - 1

    def finished(self, last_date: date) -> PlantedAccount:
        """Numbers both sides in the order of their days, as a statement and a ledger do."""
        lines = sorted(range(len(self._lines)), key=lambda place: (self._lines[place].booking_date, place))
        order = sorted(range(len(self._transactions)), key=lambda place: (self._transactions[place].date, place))
        line_number = {place: number for number, place in enumerate(lines, 1)}
        number_of = {place: number for number, place in enumerate(order, 1)}
        account = PlantedAccount(self._account_id, last_date=last_date)
        account.lines = [replace(self._lines[place], number=line_number[place]) for place in lines]
        account.transactions = [replace(self._transactions[place], number=number_of[place]) for place in order]
        account.pairs = {(line_number[left], number_of[right]) for left, right in self._pairs}
        for kind, left, right in self._differences:
            if kind == "DUPLICATE_ON_STATEMENT":
                account.original_lines[line_number[left[0]]] = line_number[left[1]]
            elif kind == "DUPLICATE_IN_LEDGER":
                account.original_transactions[number_of[right[0]]] = number_of[right[1]]
            if kind == "MISSING_ON_STATEMENT" and (last_date - self._transactions[right[0]].date).days < USUAL_DAYS:
                kind = "IN_TRANSIT"  # noqa: PLW2901 - that is what it is
            account.differences.append(
                Difference(
                    kind, frozenset(map(line_number.__getitem__, left)), frozenset(map(number_of.__getitem__, right))
                )
            )
        return account


def _date(record: dict[str, str]) -> date:
    text = record["date"]
    return date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))


def _amount(record: dict[str, str]) -> int:
    amount = int(Decimal(record["amount"]) * 100)
    return amount if record["type"] == "PRIJEM" else -amount
