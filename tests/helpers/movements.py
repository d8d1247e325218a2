"""Lines and transactions for tests of matching, in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_service.matching.engine import reconcile
from ledger_service.matching.model import Finding, FindingKind, Movement, Profile, Rejection, Result, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 730_000
LAST_DAY = DAY + 100


def movement(
    number: int, amount: int, day: int = 0, reference: str = "", name: str = "", text: str = "", **others: object
) -> Movement:
    """One movement; `day` counts from DAY. Several references are separated by commas."""
    value_day = others.pop("value_day", day)
    assert isinstance(value_day, int)
    references = tuple(part for part in reference.split(",") if part)
    return Movement(number, DAY + day, DAY + value_day, amount, references, name, text, **others)  # type: ignore[arg-type]


def run(
    lines: Sequence[Movement], transactions: Sequence[Movement], *rules: Rule, rejections: Sequence[Rejection] = ()
) -> Result:
    """Reconciles with these rules only, to a statement that ends long after DAY."""
    return reconcile(lines, transactions, Profile(rules), rejections, LAST_DAY)


def matched(result: Result) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Lines and transactions of each match."""
    return [(match.lines, match.transactions) for match in result.matches]


def found(result: Result, kind: FindingKind) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Lines and transactions of each finding of a kind."""
    return [(finding.lines, finding.transactions) for finding in findings(result, kind)]


def findings(result: Result, kind: FindingKind) -> list[Finding]:
    """The findings of a kind."""
    return [finding for finding in result.findings if finding.kind is kind]
