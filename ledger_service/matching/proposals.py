"""Bookings that would settle what only the bank knows of."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ledger_service.matching import normalising
from ledger_service.matching.model import Charge, Finding, FindingKind, Match, Profile, Proposal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger_service.matching.desk import Desk, Item

_pattern = lru_cache(maxsize=1_024)(normalising.pattern_of)


def charge_of(profile: Profile, line: Item) -> Charge | None:
    """The first of the profile's charges that the line is."""
    for charge in profile.charges:
        if charge.sign * line.amount < 0:
            continue
        pattern = _pattern(charge.pattern)
        if pattern is not None and any(pattern.search(text) for text in _texts(line)):
            return charge
    return None


def _texts(line: Item) -> tuple[str, ...]:
    # Not the counterparty without its legal form: a charge may be told by it.
    return line.words, normalising.words(line.movement.counterparty), normalising.words(line.movement.code)


def proposals(desk: Desk, matches: Sequence[Match], findings: Sequence[Finding]) -> list[Proposal]:
    """For each charge that was found, and for each match with a difference if the profile says where it goes."""
    return [*_of_charges(desk, findings), *_of_differences(desk.profile, matches)]


def _of_charges(desk: Desk, findings: Sequence[Finding]) -> Iterator[Proposal]:
    lines = {item.number: item for item in desk.lines}
    for finding in findings:
        if finding.kind is FindingKind.CHARGE:
            line = lines[finding.lines[0]]
            charge = charge_of(desk.profile, line)
            # It stays a charge by its name; but who has rejected the booking is not asked again.
            if charge is not None and not desk.is_rejected([line], []):
                yield Proposal(charge.name, finding.lines, None, charge.account_id, charge.description, finding.amount)


def _of_differences(profile: Profile, matches: Sequence[Match]) -> Iterator[Proposal]:
    """What the account lacks to the statement: the difference the other way round."""
    charge = profile.differences
    if charge is None:
        return
    for place, match in enumerate(matches):
        # The sign limits what is written off: fees only, say. The pattern has no text to be looked for in.
        if match.difference and charge.sign * -match.difference >= 0:
            yield Proposal(charge.name, match.lines, place, charge.account_id, charge.description, -match.difference)
