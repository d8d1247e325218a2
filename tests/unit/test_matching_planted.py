"""The bank's records of PKDD'99 against a ledger with planted differences: what is matched, and what is named."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import pytest
from rich.console import Console
from rich.table import Table

from ledger_service.matching.engine import reconcile
from ledger_service.matching.model import Charge, FindingKind, Movement, Profile, Result
from ledger_service.matching.profile import default_profile
from tests.helpers.planted import FILE, Difference, PlantedAccount, plant

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the bank's records (../shared/data/pkdd99) are not there")

PROFILE: Profile = replace(
    default_profile(),
    charges=(
        Charge("interest", "urok", 1, "acc_interest", "Interest"),
        Charge("penalty interest", "sankc urok", -1, "acc_charges", "Penalty interest"),
        Charge("charges", "sluzby", -1, "acc_charges", "Charges of the bank"),
    ),
)


def movements(account: PlantedAccount) -> tuple[list[Movement], list[Movement]]:
    lines = [
        Movement(
            one.number, one.booking_date.toordinal(), one.value_date.toordinal(), one.amount,
            (one.reference,) if one.reference else (), one.counterparty, one.text, one.code,
        )
        for one in account.lines
    ]  # fmt: skip
    transactions = [
        Movement(
            one.number, one.date.toordinal(), one.date.toordinal(), one.amount,
            (one.reference,) if one.reference else (), one.counterparty, one.description,
        )
        for one in account.transactions
    ]  # fmt: skip
    return lines, transactions


@dataclass
class Tally:
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    true_pairs: int = 0
    matched_pairs: int = 0
    right_pairs: int = 0
    named_instead: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    wrong: list[str] = field(default_factory=list)

    def count(self, account: PlantedAccount, result: Result) -> None:
        self.true_pairs += len(account.pairs)
        told: set[tuple[int, int]] = set()
        for match in result.matches:
            pairs = [account.as_told(line, one) for line in match.lines for one in match.transactions]
            right = [pair for pair in pairs if pair in account.pairs and pair not in told]
            told.update(pairs)
            self.matched_pairs += len(pairs)
            self.right_pairs += len(right)
            if len(right) < len(pairs):
                self.wrong.append(f"{account.account_id}: {match}")
        for difference in account.differences:
            self.planted[difference.kind] += 1
            if is_named(difference, result):
                self.found[difference.kind] += 1
            else:
                self.named_instead[difference.kind][", ".join(sorted(others(difference, result))) or "-"] += 1

    @property
    def precision(self) -> float:
        return self.right_pairs / self.matched_pairs

    @property
    def recall(self) -> float:
        return self.right_pairs / self.true_pairs


def is_named(difference: Difference, result: Result) -> bool:
    return any(
        finding.kind.value == difference.kind
        and difference.lines == set(finding.lines)
        and difference.transactions == set(finding.transactions)
        for finding in result.findings
    )


def others(difference: Difference, result: Result) -> set[str]:
    """What is said of the members of a difference that was not named."""
    return {
        finding.kind.value
        for finding in result.findings
        if difference.lines & set(finding.lines) or difference.transactions & set(finding.transactions)
    }


def show(tally: Tally) -> None:
    table = Table("kind", "planted", "found", "missed", "told instead", title="Planted differences in PKDD'99")
    for kind in sorted(tally.planted, key=lambda kind: list(FindingKind.__members__).index(kind)):
        planted, found = tally.planted[kind], tally.found[kind]
        instead = "; ".join(f"{count} {what}" for what, count in tally.named_instead[kind].most_common(3))
        table.add_row(kind, str(planted), str(found), str(planted - found), instead)
    console = Console(width=140)
    console.print(table)
    console.print(
        f"pairs: {tally.true_pairs} true, {tally.matched_pairs} matched, {tally.right_pairs} of them right; "
        f"precision {tally.precision:.4%}, recall {tally.recall:.4%}"
    )


def test_planted_differences() -> None:
    tally = Tally()
    for account in plant():
        tally.count(account, reconcile(*movements(account), PROFILE, (), account.last_date.toordinal()))
    show(tally)
    for wrong in tally.wrong[:20]:
        print(wrong)
    assert tally.precision >= 0.999
    assert tally.recall >= 0.98
    named = sum(tally.found.values()) / sum(tally.planted.values())
    assert named >= 0.995, tally.named_instead
