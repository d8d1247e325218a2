"""What is not as it should be, by name: in matches first, then in what stayed open."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ledger_service.matching import evidence
from ledger_service.matching.desk import ORDER_OF_FINDINGS, in_order, numbers
from ledger_service.matching.duplicates import duplicates
from ledger_service.matching.model import Finding, FindingKind, Match, Option
from ledger_service.matching.profile import usual_days
from ledger_service.matching.proposals import charge_of
from ledger_service.matching.unlike_amounts import unlike_amounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger_service.matching.desk import Ambiguity, Crowd, Desk, Item


_MOST_OF_A_REFERENCE = 32
"""Transactions with the same reference among which the partner of a swap is looked for."""


def findings(desk: Desk, last_day: int) -> list[Finding]:
    """All findings, in a stable order. Each line and transaction that stayed open is in at least one.

    What stayed open is told by the first of these that holds: ambiguous, too many candidates, a duplicate, an amount
    that differs, a charge, missing or in transit.
    """
    found = _of_matches(desk)
    lines, transactions = set(desk.open_lines), set(desk.open_transactions)
    for some in (_ambiguous(desk), _crowded(desk), duplicates(desk), unlike_amounts(desk)):
        for finding, left, right in some:
            # A later kind may tell of what an earlier one has told, if there is something new in it.
            if (left & lines) or (right & transactions):
                found.append(finding)
                lines -= left
                transactions -= right
    days = usual_days(desk.profile)
    for place in lines:
        found.append(_of_line(desk, desk.lines[place]))
    for place in transactions:
        found.append(_of_transaction(desk.transactions[place], last_day, days))
    return sorted(found, key=lambda one: (ORDER_OF_FINDINGS[one.kind], one.lines, one.transactions))


def _of_line(desk: Desk, line: Item) -> Finding:
    charge = charge_of(desk.profile, line)
    if charge is not None:
        return Finding(FindingKind.CHARGE, (line.number,), (), line.amount, f"only the bank knows of it: {charge.name}")
    why = "on the statement, and nothing open in the ledger fits"
    return Finding(FindingKind.MISSING_IN_LEDGER, (line.number,), (), line.amount, why)


def _of_transaction(transaction: Item, last_day: int, days: int) -> Finding:
    behind = last_day - transaction.day
    days_behind = evidence.count_of_days(behind)
    if behind < days:
        kind = FindingKind.IN_TRANSIT
        when = f"{days_behind} before the statement ends" if behind > 0 else "at or after the statement's end"
        why = f"in the ledger {when}: the bank may still book it"
    else:
        kind = FindingKind.MISSING_ON_STATEMENT
        why = f"in the ledger, and the statement goes on for {days_behind} without it"
    return Finding(kind, (), (transaction.number,), transaction.amount, why)


def _of_matches(desk: Desk) -> list[Finding]:
    lines = {item.number: item for item in desk.lines}
    transactions = {item.number: item for item in desk.transactions}
    days = usual_days(desk.profile)
    found: list[Finding] = []
    disagreeing: list[tuple[Match, Item, Item]] = []
    for match in desk.matches:
        if match.difference:
            found.append(
                Finding(FindingKind.AMOUNT_DIFFERS, match.lines, match.transactions, match.difference, match.why)
            )
        if match.lines and match.transactions and len(match.lines) + len(match.transactions) > 2:
            amount = sum(lines[number].amount for number in match.lines)
            found.append(Finding(FindingKind.BATCHED, match.lines, match.transactions, amount, match.why))
        elif match.lines and match.transactions:
            line, transaction = lines[match.lines[0]], transactions[match.transactions[0]]
            if evidence.gap(line, transaction) > days:
                why = f"{evidence.days_in_words(line, transaction)}; {days} are usual"
                found.append(Finding(FindingKind.DATE_DIFFERS, match.lines, match.transactions, line.amount, why))
            if evidence.references_disagree(line, transaction):
                disagreeing.append((match, line, transaction))
    return found + _references(disagreeing)


def _references(disagreeing: Sequence[tuple[Match, Item, Item]]) -> list[Finding]:
    """Two pairs that carry each other's references are one finding; the others are one each."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for place, (_, _, transaction) in enumerate(disagreeing):
        for key in transaction.keys:
            by_key[key].append(place)
    found: list[Finding] = []
    swapped: set[int] = set()
    for place, (match, line, transaction) in enumerate(disagreeing):
        if place in swapped:
            continue
        others = {other for key in line.keys for other in by_key.get(key, ())[:_MOST_OF_A_REFERENCE] if other > place}
        for other in sorted(others - swapped):
            other_match, other_line, _ = disagreeing[other]
            if other_line.keys & transaction.keys:
                swapped |= {place, other}
                both = tuple(sorted((*match.lines, *other_match.lines)))
                pair = tuple(sorted((*match.transactions, *other_match.transactions)))
                why = "amounts and dates say one pairing, references the other: each has the other's reference"
                found.append(Finding(FindingKind.REFERENCES_SWAPPED, both, pair, line.amount + other_line.amount, why))
                break
    for place, (match, line, _) in enumerate(disagreeing):
        if place not in swapped:
            found.append(
                Finding(FindingKind.REFERENCE_DIFFERS, match.lines, match.transactions, line.amount, match.why)
            )
    return found


def _ambiguous(desk: Desk) -> list[tuple[Finding, set[int], set[int]]]:
    """Ambiguities that no rule has resolved. Where rules met the same members, the earlier one's is told."""
    line_places = {item.number: item.place for item in desk.lines}
    transaction_places = {item.number: item.place for item in desk.transactions}
    found: list[tuple[Finding, set[int], set[int]]] = []
    told: set[tuple[bool, int]] = set()
    for one in sorted(desk.ambiguities, key=lambda it: (it.rule, tuple(option.pairs for option in it.options))):
        options = _still_open(one, desk, line_places, transaction_places)
        lines, transactions = desk.open_lines & one.lines, desk.open_transactions & one.transactions
        members = {(True, place) for place in lines} | {(False, place) for place in transactions}
        if len(options) < 2 or members & told:
            continue
        told |= members
        finding = Finding(
            FindingKind.AMBIGUOUS,
            numbers(desk.lines[place] for place in lines),
            numbers(desk.transactions[place] for place in transactions),
            sum(desk.lines[place].amount for place in lines),
            one.why,
            options,
        )
        found.append((finding, lines, transactions))
    return found


def _still_open(
    ambiguity: Ambiguity, desk: Desk, lines: dict[int, int], transactions: dict[int, int]
) -> tuple[Option, ...]:
    """The options without the pairs of which something has been matched since."""
    options = set()
    for option in ambiguity.options:
        pairs = tuple(
            pair
            for pair in option.pairs
            if all(lines[number] in desk.open_lines for number in pair[0])
            and all(transactions[number] in desk.open_transactions for number in pair[1])
        )
        if pairs:
            options.add(Option(pairs))
    return in_order(options)


def _crowded(desk: Desk) -> Iterable[tuple[Finding, set[int], set[int]]]:
    for crowd in sorted(desk.crowds, key=_by_rule):
        lines = desk.open_lines.intersection(crowd.lines)
        transactions = desk.open_transactions.intersection(crowd.transactions)
        # With one side matched by other means, or one line and one transaction left, nothing is too many any more.
        if (
            len(lines) + len(transactions) > 2
            and (lines or not crowd.lines)
            and (transactions or not crowd.transactions)
        ):
            finding = Finding(
                FindingKind.TOO_MANY_CANDIDATES,
                tuple(sorted(desk.lines[place].number for place in lines)),
                tuple(sorted(desk.transactions[place].number for place in transactions)),
                sum(desk.lines[place].amount for place in lines),
                crowd.why,
            )
            yield finding, lines, transactions


def _by_rule(crowd: Crowd) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    return crowd.rule, crowd.lines, crowd.transactions
