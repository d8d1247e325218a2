"""What is matched, by which rules, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class RuleKind(str, Enum):
    """How a rule finds pairs. The profile's rules are tried in order, each on what those before it left."""

    REFERENCE = "REFERENCE"
    """The same reference on both sides, the same amount."""
    AMOUNT_AND_DATE = "AMOUNT_AND_DATE"
    """The same amount, dates at most `days` apart; names, where both sides tell one, at least `similarity` alike."""
    AMOUNT_AND_COUNTERPARTY = "AMOUNT_AND_COUNTERPARTY"
    """The same amount, names at least `similarity` alike, dates at most `days` apart."""
    ONE_LINE_TO_MANY = "ONE_LINE_TO_MANY"
    """One line for several transactions: a batch deposit, a payout less its fees."""
    MANY_LINES_TO_ONE = "MANY_LINES_TO_ONE"
    """Several lines for one transaction: paid in instalments, an amount and its charges."""
    MANY_TO_MANY = "MANY_TO_MANY"
    """Several lines for several transactions within `days`."""
    CANCELLED = "CANCELLED"
    """Transactions that cancel each other (a reversal), or lines that do: nothing of them is on the other side."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a profile.

    `days` is how far dates may lie apart. The amounts of both sides may differ by `tolerance` minor units, or by
    `tolerance_ppm` millionths of the statement's amount, whichever is more; both 0: not at all. `similarity` (0 to
    100) is for names. `most` bounds the members of a group on its larger side where they are searched for; what belongs
    together by itself (the bank's own parts, a shared reference, all of one day that say the same) may be more.
    `auto_confirm`: a match by this rule
    without a difference needs no person to confirm it.
    """

    kind: RuleKind
    days: int = 3
    tolerance: int = 0
    tolerance_ppm: int = 0
    similarity: int = 85
    most: int = 8
    auto_confirm: bool = False


@dataclass(frozen=True, slots=True)
class Charge:
    """How lines are booked that only the bank knows of: its fees, interest, chargebacks.

    A line is one if `pattern` (words, case and accents ignored; `*` at a word's end for any ending) is found in its
    text, counterparty or bank code, and its amount has the `sign` (-1 out, 1 in, 0 either).
    """

    name: str
    pattern: str
    sign: int
    account_id: str
    description: str


@dataclass(frozen=True, slots=True)
class Profile:
    """How the lines and transactions of one account are matched.

    `is_inverted`: the statement shows the other party's view, so that what it calls positive lowers the account in
    the sense of its normal side (a credit card's statement and our liability account). `differences` is where a
    difference within a rule's tolerance is booked; None: it stays open. `clears`: confirming a match sets a PENDING
    transaction CLEARED.
    """

    rules: tuple[Rule, ...]
    charges: tuple[Charge, ...] = ()
    differences: Charge | None = None
    is_inverted: bool = False
    clears: bool = True


@dataclass(frozen=True, slots=True)
class Movement:
    """A line of the statement or a transaction of the ledger, as far as matching looks at it.

    `number` identifies it on its side. `day` is the booking date of a line, the effective date of a transaction in
    the entity's time zone, `value_day` the value date of a line (both `date.toordinal()`); `amount` is in minor units,
    positive where the account grows in the sense of its normal side, never 0. `references` as they were written.
    `parts` are the amounts of the payments that the bank says it has booked as this one line. `cancels` is the number
    of the transaction that this one reverses; 0: none.
    """

    number: int
    day: int
    value_day: int
    amount: int
    references: tuple[str, ...] = ()
    counterparty: str = ""
    text: str = ""
    code: str = ""
    parts: tuple[int, ...] = ()
    cancels: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a person has said does not belong together; a rejected pair never comes back, alone or in a group."""

    lines: tuple[int, ...]
    transactions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Lines and transactions that are the same money; either may be empty if the others cancel each other.

    `difference` is what the transactions come to less what the lines come to, in minor units. `score` is 0 to 100.
    `why` is for people: what agrees, and what does not.
    """

    rule: int
    """The place of the rule in the profile, from 0."""
    kind: RuleKind
    lines: tuple[int, ...]
    transactions: tuple[int, ...]
    difference: int
    score: int
    why: str
    auto_confirm: bool


class FindingKind(str, Enum):
    """What is not as it should be, by name."""

    MISSING_IN_LEDGER = "MISSING_IN_LEDGER"
    """On the statement only."""
    MISSING_ON_STATEMENT = "MISSING_ON_STATEMENT"
    """In the ledger only, and the statement goes well past its date: outstanding, or never happened."""
    IN_TRANSIT = "IN_TRANSIT"
    """In the ledger only, and so near to the statement's end that the bank may still book it."""
    DUPLICATE_IN_LEDGER = "DUPLICATE_IN_LEDGER"
    """Recorded once more than the bank has booked it: `transactions` has the surplus one first, then its twin."""
    DUPLICATE_ON_STATEMENT = "DUPLICATE_ON_STATEMENT"
    """Booked by the bank once more than it is recorded: `lines` has the surplus one first, then its twin."""
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    """Reference or name and date agree, the amount does not."""
    DATE_DIFFERS = "DATE_DIFFERS"
    """Matched by reference or name, but dates lie further apart than the profile's AMOUNT_AND_DATE allows."""
    REFERENCES_SWAPPED = "REFERENCES_SWAPPED"
    """Two transactions carry each other's reference: amounts say one pairing, references the other."""
    REFERENCE_DIFFERS = "REFERENCE_DIFFERS"
    """Matched by amount and date, but both sides have references and they disagree."""
    BATCHED = "BATCHED"
    """One movement on one side is several on the other; matched."""
    CHARGE = "CHARGE"
    """A fee, interest or the like that only the bank knew of."""
    AMBIGUOUS = "AMBIGUOUS"
    """Several pairings are as good as each other: nothing is matched, `options` shows them."""
    TOO_MANY_CANDIDATES = "TOO_MANY_CANDIDATES"
    """So many candidates that they were not all tried: nothing is matched."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of several pairings that are as good as each other."""

    pairs: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    """Lines and transactions that would belong together."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should look at, or know."""

    kind: FindingKind
    lines: tuple[int, ...]
    transactions: tuple[int, ...]
    amount: int
    """What it is about, in minor units: the difference, or the amount that is missing."""
    why: str
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A booking that would settle what only the bank knows of: see Profile.charges and Profile.differences.

    `amount` is what the account's own side would change by, in minor units, in the sense of its normal side.
    `match` is the place of the match in the result whose difference it settles; None: it settles the line alone.
    """

    charge: str
    lines: tuple[int, ...]
    match: int | None
    account_id: str
    description: str
    amount: int


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that a run found, in a stable order."""

    matches: tuple[Match, ...]
    findings: tuple[Finding, ...]
    proposals: tuple[Proposal, ...]
    matched_by_rule: tuple[int, ...] = field(default=())
    """How many matches each rule of the profile made."""
