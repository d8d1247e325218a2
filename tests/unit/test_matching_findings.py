"""Each kind of finding, its members, and the bookings that are proposed."""

from __future__ import annotations

import pytest

from ledger_service.matching.engine import reconcile
from ledger_service.matching.model import Charge, FindingKind, Movement, Profile, Rejection, Result, Rule, RuleKind
from ledger_service.matching.profile import default_profile, usual_days
from tests.helpers.movements import DAY, LAST_DAY, findings, found, matched, movement, run

RULES = default_profile().rules
FEE = Charge("fee", "fee*", -1, "acc_fees", "Fees of the bank")
INTEREST = Charge("interest", "credit interest", 1, "acc_interest", "Interest")
ROUNDING = Charge("rounding", "", 0, "acc_rounding", "Rounding")


def default(lines: list[Movement], transactions: list[Movement], **others: object) -> Result:
    """With the default rules, and what else the profile has."""
    return reconcile(lines, transactions, Profile(RULES, **others), (), LAST_DAY)  # type: ignore[arg-type]


def only(result: Result) -> tuple[FindingKind, tuple[int, ...], tuple[int, ...], int]:
    """The one finding of a result."""
    (finding,) = result.findings
    assert finding.why
    return finding.kind, finding.lines, finding.transactions, finding.amount


def test_missing_in_the_ledger() -> None:
    assert only(default([movement(1, 100)], [])) == (FindingKind.MISSING_IN_LEDGER, (1,), (), 100)


@pytest.mark.parametrize(
    ("behind", "kind"),
    [
        (-1, FindingKind.IN_TRANSIT),
        (0, FindingKind.IN_TRANSIT),
        (2, FindingKind.IN_TRANSIT),
        (3, FindingKind.MISSING_ON_STATEMENT),
    ],
)
def test_in_transit_or_missing_on_the_statement(behind: int, kind: FindingKind) -> None:
    result = default([], [movement(9, -100, day=LAST_DAY - DAY - behind)])
    assert only(result) == (kind, (), (9,), -100)


def test_recorded_twice() -> None:
    transactions = [movement(8, 100, reference="A-77"), movement(9, 100, day=1, reference="A-77")]
    result = default([movement(1, 100, reference="A-77")], transactions)
    assert only(result) == (FindingKind.DUPLICATE_IN_LEDGER, (), (9, 8), 100)


def test_booked_twice() -> None:
    lines = [movement(1, 100, name="Novak"), movement(2, 100, day=5, name="NOVAK")]
    result = default(lines, [movement(9, 100, name="Novak s.r.o.")])
    assert only(result) == (FindingKind.DUPLICATE_ON_STATEMENT, (2, 1), (), 100)


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 101, "reference": "A-77"},
        {"amount": 100, "reference": "A-78"},
        {"amount": 100, "reference": "A-77", "day": 8},
        {"amount": 100, "text": "other"},
    ],
)
def test_what_is_no_duplicate(other: dict[str, object]) -> None:
    transactions = [movement(8, 100, reference="A-77", text="rent"), movement(9, **other)]  # type: ignore[arg-type]
    result = run([movement(1, 100, reference="A-77")], transactions, Rule(RuleKind.REFERENCE))
    assert matched(result) == [((1,), (8,))]
    assert only(result) == (FindingKind.MISSING_ON_STATEMENT, (), (9,), other["amount"])


def test_an_amount_that_is_off_by_little_is_matched_and_told() -> None:
    result = default([movement(1, 10_000, reference="A-77")], [movement(9, 10_001, reference="A-77")])
    assert matched(result) == [((1,), (9,))]
    assert only(result) == (FindingKind.AMOUNT_DIFFERS, (1,), (9,), 1)
    assert not result.proposals


def test_an_amount_that_is_off_by_much_is_told_by_its_reference() -> None:
    result = default([movement(1, 10_000, reference="A-77")], [movement(9, 54_321, day=-4, reference="A-77")])
    assert not result.matches
    assert only(result) == (FindingKind.AMOUNT_DIFFERS, (1,), (9,), 44_321)


def test_an_amount_that_is_off_by_much_is_told_by_name_and_day() -> None:
    lines, near = [movement(1, 12_345, name="Novak")], movement(9, 13_245, day=-1, name="NOVAK")
    assert only(default(lines, [near])) == (FindingKind.AMOUNT_DIFFERS, (1,), (9,), 900)
    for other in (
        movement(9, 13_245, day=-4, name="Novak"),
        movement(9, 26_000, name="Novak"),
        movement(9, -12_000, name="Novak"),
    ):
        assert not findings(default(lines, [other]), FindingKind.AMOUNT_DIFFERS)


def test_rejected_pairs_are_not_told_as_differing_amounts() -> None:
    lines, transactions = [movement(1, 10_000, reference="A-77")], [movement(9, 54_321, reference="A-77")]
    result = reconcile(lines, transactions, Profile(RULES), [Rejection((1,), (9,))], LAST_DAY)
    assert {finding.kind for finding in result.findings} == {
        FindingKind.MISSING_IN_LEDGER, FindingKind.MISSING_ON_STATEMENT
    }  # fmt: skip


def test_dates_beyond_what_is_usual() -> None:
    assert usual_days(default_profile()) == 3
    assert not default([movement(1, 100, reference="A-77", day=3)], [movement(9, 100, reference="A-77")]).findings
    result = default([movement(1, 100, reference="A-77", day=4)], [movement(9, 100, reference="A-77")])
    assert matched(result) == [((1,), (9,))]
    assert only(result) == (FindingKind.DATE_DIFFERS, (1,), (9,), 100)


def test_what_is_usual_without_a_rule_of_dates() -> None:
    assert usual_days(Profile((Rule(RuleKind.REFERENCE, days=20), Rule(RuleKind.AMOUNT_AND_COUNTERPARTY, days=6)))) == 6
    assert usual_days(Profile((Rule(RuleKind.CANCELLED, days=30),))) == 3
    assert usual_days(Profile((Rule(RuleKind.AMOUNT_AND_DATE, days=2), Rule(RuleKind.AMOUNT_AND_DATE, days=9)))) == 2


def test_swapped_references() -> None:
    lines = [movement(1, 100, reference="A-77"), movement(2, 200, day=1, reference="B-88")]
    transactions = [movement(8, 100, reference="B-88"), movement(9, 200, day=1, reference="A-77")]
    result = default(lines, transactions)
    assert matched(result) == [((1,), (8,)), ((2,), (9,))]
    assert only(result) == (FindingKind.REFERENCES_SWAPPED, (1, 2), (8, 9), 300)


def test_references_that_differ() -> None:
    result = default([movement(1, 100, reference="A-77")], [movement(9, 100, reference="A-78")])
    assert matched(result) == [((1,), (9,))]
    assert only(result) == (FindingKind.REFERENCE_DIFFERS, (1,), (9,), 100)
    (match,) = result.matches
    assert "references differ: A-77 on the statement, A-78 in the ledger" in match.why
    in_text = default([movement(1, 100, reference="A-77", text="for INV-123")], [movement(9, 100, reference="INV-123")])
    assert not in_text.findings


def test_batches_are_told() -> None:
    result = default([movement(1, 358_026)], [movement(8, 123_457), movement(9, 234_569)])
    assert only(result) == (FindingKind.BATCHED, (1,), (8, 9), 358_026)


def test_charges_are_told_and_their_booking_is_proposed() -> None:
    lines = [
        movement(1, -1_460, text="Monthly fees"),
        movement(2, 9_020, name="CREDIT-INTEREST"),
        movement(3, -50, code="Fee"),
        movement(4, 777, text="Fee returned"),
        movement(5, -888, text="Coffee"),
    ]
    result = default(lines, [], charges=(FEE, INTEREST))
    assert found(result, FindingKind.CHARGE) == [((1,), ()), ((2,), ()), ((3,), ())]
    assert found(result, FindingKind.MISSING_IN_LEDGER) == [((4,), ()), ((5,), ())]
    assert [(one.charge, one.lines, one.match, one.account_id, one.amount) for one in result.proposals] == [
        ("fee", (1,), None, "acc_fees", -1_460),
        ("interest", (2,), None, "acc_interest", 9_020),
        ("fee", (3,), None, "acc_fees", -50),
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "is_charge"),
    [
        ("fee", "Fees", False),
        ("fee*", "FEES", True),
        ("frais bancaires", "Frais  bancaires mars", True),
        ("frais", "FRÂIS", True),
        ("frais bancaires", "frais et bancaires", False),
        ("*", "anything", False),
        ("", "anything", False),
        ("a-b", "a b", True),
    ],
)
def test_patterns_of_charges(pattern: str, text: str, *, is_charge: bool) -> None:
    charge = Charge("x", pattern, 0, "acc_x", "X")
    result = default([movement(1, -100, text=text)], [], charges=(charge,))
    assert bool(findings(result, FindingKind.CHARGE)) is is_charge


def test_a_charge_that_the_ledger_knows_is_just_matched() -> None:
    result = default([movement(1, -1_460, text="Fee")], [movement(9, -1_460)], charges=(FEE,))
    assert matched(result) == [((1,), (9,))]
    assert not result.findings
    assert not result.proposals


def test_a_difference_is_proposed_the_other_way_round() -> None:
    """The ledger has one more than the statement: its account is to go down by one."""
    lines = [movement(1, 5_000, reference="A-66"), movement(2, 10_000, reference="A-77")]
    transactions = [movement(8, 5_000, reference="A-66"), movement(9, 10_001, reference="A-77")]
    result = default(lines, transactions, differences=ROUNDING)
    (proposal,) = result.proposals
    assert (proposal.amount, proposal.lines, proposal.account_id) == (-1, (2,), "acc_rounding")
    assert proposal.match is not None
    assert result.matches[proposal.match].transactions == (9,)
    gains_only = Charge("rounding", "", 1, "acc_rounding", "Rounding")
    assert not default(lines, transactions, differences=gains_only).proposals


def test_a_reversal_and_what_it_reverses_are_neither_missing() -> None:
    transactions = [movement(7, 100), movement(8, -60, day=1, cancels=7), movement(9, -40, day=2, cancels=7)]
    result = default([], transactions)
    assert matched(result) == [((), (7, 8, 9))]
    assert not result.findings
    partly = default([], transactions[:2])
    assert not partly.matches
    assert len(findings(partly, FindingKind.MISSING_ON_STATEMENT)) == 2


def test_a_reversal_that_the_bank_has_booked_too_is_two_pairs() -> None:
    lines = [movement(1, 100), movement(2, -100, day=1)]
    transactions = [movement(8, 100), movement(9, -100, day=1, cancels=8)]
    assert matched(default(lines, transactions)) == [((1,), (8,)), ((2,), (9,))]


def test_lines_that_the_bank_took_back() -> None:
    by_reference = [movement(1, -100, reference="A-77"), movement(2, 100, day=9, reference="A-77")]
    assert matched(default(by_reference, [])) == [((1, 2), ())]
    by_words = [movement(1, -100, name="Novak", text="rent"), movement(2, 100, day=30, name="Novak", text="Rent")]
    assert matched(default(by_words, [])) == [((1, 2), ())]
    too_late = [by_words[0], movement(2, 100, day=31, name="Novak", text="Rent")]
    assert not default(too_late, []).matches
    other_text = [by_words[0], movement(2, 100, name="Novak", text="salary")]
    assert not default(other_text, []).matches
    rejected = reconcile(by_words, [], Profile(RULES), [Rejection((1, 2), ())], LAST_DAY)
    assert not rejected.matches


def test_several_lines_that_might_have_been_taken_back() -> None:
    lines = [
        movement(1, -100, reference="A-77"),
        movement(2, -100, reference="A-77"),
        movement(3, 100, reference="A-77"),
    ]
    result = run(lines, [], Rule(RuleKind.CANCELLED, days=5))
    assert len(result.matches) == 1 or found(result, FindingKind.AMBIGUOUS) == [((1, 2, 3), ())]


def test_findings_and_matches_come_in_a_stable_order() -> None:
    lines = [movement(number, 100 * number) for number in (5, 3, 1)]
    transactions = [movement(number, 7_777 * number) for number in (9, 7)]
    result = default(lines, transactions)
    assert [finding.lines or finding.transactions for finding in result.findings] == [(1,), (3,), (5,), (7,), (9,)]
    assert result == default(lines[::-1], transactions[::-1])


def test_a_charge_that_was_rejected_is_not_proposed_again() -> None:
    """It is still told of: somebody has to book it otherwise."""
    lines = [movement(1, -100, text="Monthly fee"), movement(2, -100, text="Monthly fee")]
    result = reconcile(lines, [], Profile(RULES, charges=(FEE,)), (Rejection((1,), ()),), LAST_DAY)
    assert [one.lines for one in result.proposals] == [(2,)]
    assert found(result, FindingKind.CHARGE) == [((1,), ()), ((2,), ())]
