"""Between the matching engine and what is kept: open items go in as movements, findings come out as rows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ledger_service.application.reconciling.records import FindingCount, MatchedCount, MatchState
from ledger_service.application.reconciling.reporting import count_findings
from ledger_service.application.reconciling.staging import (
    KnownMatch,
    NewDecision,
    NewMatch,
    OpenItem,
    OpenLine,
    Stage,
    State,
)
from ledger_service.application.reconciling.standing import live_matches
from ledger_service.matching.model import Match, Movement, Proposal, Rejection, Result, RuleKind
from ledger_service.matching.normalising import reference_keys, reference_tokens

MANUAL = "MANUAL"
CHARGE = "CHARGE"
_ID = "txn"
"""How ids of transactions begin, also where a bank has dropped the sign behind it."""
_GONE = "a transaction of it is no longer on the account"


@dataclass(frozen=True, slots=True)
class Work:
    """What the engine is given; `broken` are matches that do not hold any more."""

    lines: tuple[Movement, ...]
    transactions: tuple[Movement, ...]
    rejections: tuple[Rejection, ...]
    broken: tuple[KnownMatch, ...]


def work_of(state: State, public_id: Callable[[int], str]) -> Work:
    """All that is open, in both directions, and what a person has said does not belong together."""
    holding, broken = live_matches(state)
    lines = {number for match in holding for number in match.lines}
    items = {number for match in holding for number in match.transactions}
    open_lines = tuple(_line(line) for line in state.lines if line.number not in lines and line.amount)
    named = _named(open_lines)
    return Work(
        open_lines,
        tuple(
            _item(item, public_id(item.transaction_no), named)
            for item in state.items
            if item.transaction_no not in items
        ),
        tuple(Rejection(one.lines, one.transactions) for one in state.matches if one.state == MatchState.REJECTED),
        tuple(broken),
    )


def _line(line: OpenLine) -> Movement:
    return Movement(
        line.number,
        line.booking_date.toordinal(),
        line.value_date.toordinal(),
        line.amount,
        line.references,
        line.counterparty,
        line.text,
        line.bank_code,
        line.parts,
    )


def _named(lines: Sequence[Movement]) -> frozenset[str]:
    """Keys of what could be ids of transactions, in references and texts of lines."""
    return frozenset(
        key
        for line in lines
        for text in (*line.references, line.text)
        if _ID in text.lower()
        for key in (*reference_keys(text), *reference_tokens(text))
    )


def _item(item: OpenItem, public_id: str, named: frozenset[str]) -> Movement:
    day = item.day.toordinal()
    references = (item.reference,) if item.reference else ()
    # Only where a payer has told it: otherwise every transaction would have a reference that no line has, and of two
    # alike each its own.
    if not named.isdisjoint(reference_keys(public_id)):
        references = (*references, public_id)
    return Movement(
        item.transaction_no,
        day,
        day,
        item.amount,
        references,
        item.counterparty,
        item.description,
        cancels=item.reverses,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """What a run adds, and in figures what it did."""

    stage: Stage
    matched: tuple[MatchedCount, ...]
    findings: tuple[FindingCount, ...]
    open_lines: int
    open_transactions: int
    write_offs: int
    undone: int


def run_of(state: State, work: Work, result: Result, accounts: Mapping[str, int]) -> Run:
    """The rows. `accounts` are the numbers of the accounts that proposals name."""
    proposals = {one.match: one for one in result.proposals if one.match is not None}
    booked = _booked_before(state, work, result)
    alone = [one for one in result.proposals if one.match is None]
    number = state.last_match
    matches = []
    for place, match in enumerate(result.matches):
        number += 1
        written_off = booked.get((match.lines, -match.difference)) if match.difference else None
        if written_off is not None:
            why = f"{match.why}; with the write-off that was booked for it before"
            both = (*match.transactions, written_off)
            whole = replace(match, transactions=both, difference=0, why=why, auto_confirm=False)
            matches.append(_match(number, whole, None, accounts))
        else:
            matches.append(_match(number, match, proposals.get(place), accounts))
    for proposal in alone:
        number += 1
        matches.append(_charge(number, proposal, accounts))
    undone = undoing(work.broken)
    lines = {one for match in matches for one in match.lines}
    items = {one for match in matches for one in match.transactions}
    amounts = {line.number: abs(line.amount) for line in work.lines}
    return Run(
        Stage(matches=matches, decisions=undone, findings=result.findings),
        _counts(matches, amounts),
        tuple(FindingCount(*one) for one in count_findings(result.findings)),
        len(work.lines) - len(lines),
        len(work.transactions) - len(items),
        sum(1 for match in matches if match.write_off_account_no is not None),
        len(undone),
    )


def _booked_before(state: State, work: Work, result: Result) -> dict[tuple[tuple[int, ...], int], int]:
    """Write-offs of matches that were undone since, by the lines and the amount, where they are still open: what was
    booked once for a difference is not booked again.
    """
    amounts = {one.number: one.amount for one in work.transactions}
    taken = {number for match in result.matches for number in match.transactions}
    return {
        (match.lines, amounts[match.write_off_transaction_no]): match.write_off_transaction_no
        for match in state.matches
        if match.write_off_transaction_no in amounts and match.write_off_transaction_no not in taken
    }


def undoing(broken: Sequence[KnownMatch]) -> list[NewDecision]:
    """Decisions that take apart what does not hold any more, so that its other members are free."""
    return [NewDecision(match.number, MatchState.UNDONE, None, _GONE) for match in broken]


def _match(number: int, match: Match, proposal: Proposal | None, accounts: Mapping[str, int]) -> NewMatch:
    confirmed = match.auto_confirm and not match.difference
    account_no = accounts.get(proposal.account_id) if proposal is not None else None
    return NewMatch(
        number,
        MatchState.CONFIRMED if confirmed else MatchState.PROPOSED,
        match.kind.value,
        match.lines,
        match.transactions,
        match.difference,
        match.score,
        match.why,
        account_no,
        proposal.description if proposal is not None and account_no is not None else None,
        "",
    )


def _charge(number: int, proposal: Proposal, accounts: Mapping[str, int]) -> NewMatch:
    return NewMatch(
        number,
        MatchState.PROPOSED,
        CHARGE,
        proposal.lines,
        (),
        -proposal.amount,
        100,
        f"known to the bank only: {proposal.charge}",
        accounts[proposal.account_id],
        proposal.description,
        "",
    )


def _counts(matches: Sequence[NewMatch], amounts: Mapping[int, int]) -> tuple[MatchedCount, ...]:
    rows: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    for match in matches:
        row = rows[match.rule]
        row[0] += 1
        row[1] += match.state == MatchState.PROPOSED
        row[2] += len(match.lines)
        row[3] += len(match.transactions)
        row[4] += sum(amounts[number] for number in match.lines)
    order = {kind.value: place for place, kind in enumerate(RuleKind)}
    return tuple(MatchedCount(rule, *rows[rule]) for rule in sorted(rows, key=lambda one: (order.get(one, 99), one)))
