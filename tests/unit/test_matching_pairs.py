"""The rules of pairs: what they admit, what they prefer, when they leave things open."""

from __future__ import annotations

import random

import pytest

from ledger_service.matching import candidates, pairing
from ledger_service.matching.model import FindingKind, Rejection, Rule, RuleKind
from ledger_service.matching.profile import default_profile
from tests.helpers.movements import findings, found, matched, movement, run

REFERENCE = Rule(RuleKind.REFERENCE, days=5, auto_confirm=True)
NAME = Rule(RuleKind.AMOUNT_AND_COUNTERPARTY, days=5)
DATE = Rule(RuleKind.AMOUNT_AND_DATE, days=3)


@pytest.mark.parametrize(
    ("told", "recorded"),
    [
        ("INV-7", "inv 7"),
        ("INV-007", "INV-7"),
        ("INV2024007", "INV-2024-007"),
        ("0000123", "123"),
        ("RF18 5390 0754 7034", "RF18539007547034"),
        ("Zahlung-É1", "zahlung e1"),
        ("NOTPROVIDED,INV-7", "INV-7"),
    ],
)
def test_references_are_compared_without_case_separators_and_leading_zeros(told: str, recorded: str) -> None:
    result = run([movement(1, 100, reference=told)], [movement(9, 100, day=-2, reference=recorded)], REFERENCE)
    assert matched(result) == [((1,), (9,))]
    (match,) = result.matches
    assert (match.difference, match.auto_confirm, match.kind, match.rule) == (0, True, RuleKind.REFERENCE, 0)
    assert match.why.startswith("same reference ")
    assert match.why.endswith("same amount, 2 days later on the statement")
    assert result.matched_by_rule == (1,)


@pytest.mark.parametrize("reference", ["NOTPROVIDED", "NONREF", "000", "-", "n/a"])
def test_what_says_that_there_is_no_reference_is_none(reference: str) -> None:
    assert not run([movement(1, 100, reference=reference)], [movement(9, 100, reference=reference)], REFERENCE).matches


def test_a_reference_may_stand_in_the_text_of_one_side() -> None:
    lines = [movement(1, 100, text="Thanks for INV-2024-007!"), movement(2, 50, reference="ORD-12345")]
    transactions = [movement(8, 100, reference="INV2024007"), movement(9, 50, text="order ord12345")]
    assert matched(run(lines, transactions, REFERENCE)) == [((1,), (8,)), ((2,), (9,))]
    both_in_text = [movement(1, 100, text="INV-2024-007")], [movement(9, 100, text="INV-2024-007")]
    assert not run(*both_in_text, REFERENCE).matches


def test_bounds_of_days_are_kept_by_booking_or_value_date() -> None:
    assert run([movement(1, 100, day=3)], [movement(9, 100)], DATE).matches
    assert not run([movement(1, 100, day=4)], [movement(9, 100)], DATE).matches
    (match,) = run([movement(1, 100, day=4, value_day=0)], [movement(9, 100)], DATE).matches
    assert match.why == "same amount, same day (value date)"
    assert not run([movement(1, 100)], [movement(9, -100)], DATE).matches
    assert not run([movement(1, 100)], [movement(9, 101)], DATE).matches


@pytest.mark.parametrize(
    ("told", "recorded", "is_match"),
    [
        ("NOVÁK s.r.o.", "Novak", True),
        ("Müller & Söhne GmbH", "MUELLER SOEHNE", True),
        ("Müller & Söhne GmbH", "muller sohne", True),
        ("JAN SVOBODA", "Svoboda, Jan", True),
        ("INTERNATIONAL TRADING HOU", "International Trading House of Brno", True),
        ("Novak", "Svoboda", False),
        ("", "Novak", False),
        ("GmbH", "GmbH", True),
    ],
)
def test_names_are_compared_without_accents_order_and_legal_form(told: str, recorded: str, *, is_match: bool) -> None:
    result = run([movement(1, 100, name=told)], [movement(9, 100, name=recorded)], NAME)
    assert bool(result.matches) is is_match


def test_a_name_may_stand_in_the_text() -> None:
    lines = [movement(1, 100, text="TRANSFER FROM NOVAK JAN BRNO")]
    assert matched(run(lines, [movement(9, 100, name="Novák Jan")], NAME)) == [((1,), (9,))]
    assert not run(lines, [movement(9, 100, name="Nova")], NAME).matches


def test_the_same_amount_of_two_parties_is_no_pair() -> None:
    lines = [movement(1, 100, name="Novak")]
    assert not run(lines, [movement(9, 100, name="Svoboda")], DATE).matches
    assert run(lines, [movement(9, 100)], DATE).matches


def test_most_pairs_come_before_near_ones() -> None:
    """First come, first served would take (1, 8) and leave 2 and 9 alone."""
    lines = [movement(1, 100, day=2), movement(2, 100, day=4)]
    transactions = [movement(8, 100, day=2), movement(9, 100, day=-1)]
    assert matched(run(lines, transactions, DATE)) == [((1,), (9,)), ((2,), (8,))]


def test_the_total_of_days_is_least() -> None:
    lines = [movement(1, 100, day=0), movement(2, 100, day=2)]
    transactions = [movement(8, 100, day=2), movement(9, 100, day=0)]
    assert matched(run(lines, transactions, DATE)) == [((1,), (9,)), ((2,), (8,))]


def test_names_and_texts_decide_between_equal_amounts_and_days() -> None:
    lines = [movement(1, 100, name="Novak", text="a"), movement(2, 100, text="rent for May")]
    transactions = [movement(8, 100, text="rent of may"), movement(9, 100, name="NOVAK")]
    assert matched(run(lines, transactions, DATE)) == [((1,), (9,)), ((2,), (8,))]


def test_what_is_as_good_is_not_matched_and_both_are_shown() -> None:
    result = run([movement(1, 100, day=1)], [movement(8, 100, text="shoes"), movement(9, 100, text="books")], DATE)
    assert not result.matches
    (finding,) = findings(result, FindingKind.AMBIGUOUS)
    assert (finding.lines, finding.transactions, finding.amount) == ((1,), (8, 9), 100)
    assert [option.pairs for option in finding.options] == [(((1,), (8,)),), (((1,), (9,)),)]
    assert len(result.findings) == 1


def test_bare_amounts_are_ambiguous_even_if_nothing_tells_them_apart() -> None:
    result = run([movement(1, 100)], [movement(8, 100), movement(9, 100)], DATE)
    assert found(result, FindingKind.AMBIGUOUS) == [((1,), (8, 9))]


def test_pairs_that_all_solutions_share_are_matched_beside_an_ambiguity() -> None:
    lines = [movement(1, 100), movement(2, 100), movement(3, 100, day=3)]
    transactions = [movement(7, 100, text="a"), movement(8, 100, text="b"), movement(9, 100, day=5)]
    result = run(lines, transactions, DATE)
    assert matched(result) == [((3,), (9,))]
    assert found(result, FindingKind.AMBIGUOUS) == [((1, 2), (7, 8))]


def test_a_later_rule_may_resolve_what_an_earlier_one_left_open() -> None:
    lines = [movement(1, 100, reference="A-1")]
    transactions = [movement(8, 100, text="x", reference="B-1"), movement(9, 100, text="y", reference="B-2")]
    assert found(run(lines, transactions, DATE), FindingKind.AMBIGUOUS)
    by_name = [movement(1, 100, name="Novak")], [movement(8, 100, day=1, name="Novak"), movement(9, 100, day=-1)]
    result = run(*by_name, Rule(RuleKind.AMOUNT_AND_DATE, days=0), NAME)
    assert matched(result) == [((1,), (8,))]
    assert not findings(result, FindingKind.AMBIGUOUS)


def test_copies_that_say_the_same_pair_in_their_order() -> None:
    """Which of them is taken makes no difference; one more on a side is a double."""
    lines = [movement(1, 100, text="coffee"), movement(2, 100, text="coffee")]
    transactions = [movement(number, 100, text="Coffee for us") for number in (7, 8, 9)]
    result = run(lines, transactions, DATE)
    assert matched(result) == [((1,), (7,)), ((2,), (8,))]
    assert found(result, FindingKind.DUPLICATE_IN_LEDGER) == [((), (9, 7))]


def test_a_reversed_transaction_is_the_less_likely_one() -> None:
    transactions = [movement(7, 100, text="x"), movement(8, -100, text="x", cancels=7), movement(9, 100, text="y")]
    result = run([movement(1, 100)], transactions, DATE, Rule(RuleKind.CANCELLED))
    assert matched(result) == [((1,), (9,)), ((), (7, 8))]


def test_smaller_differences_are_preferred_whatever_else_speaks_for_others() -> None:
    rule = Rule(RuleKind.AMOUNT_AND_DATE, days=3, tolerance=5)
    lines = [movement(1, 1_000, name="Novak", text="rent")]
    transactions = [movement(8, 1_002, name="Novak", text="rent"), movement(9, 999, day=3)]
    result = run(lines, transactions, rule)
    assert matched(result) == [((1,), (9,))]
    (match,) = result.matches
    assert match.difference == -1
    assert "amounts differ by -1 minor units" in match.why


@pytest.mark.parametrize(
    ("amount", "is_match"), [(100_999, True), (101_000, True), (101_001, False), (99_000, True), (98_999, False)]
)
def test_tolerance_by_share_of_the_line(amount: int, *, is_match: bool) -> None:
    rule = Rule(RuleKind.REFERENCE, tolerance=10, tolerance_ppm=10_000, auto_confirm=True)
    result = run([movement(1, 100_000, reference="A-7")], [movement(9, amount, reference="A-7")], rule)
    assert bool(result.matches) is is_match
    assert not any(match.auto_confirm for match in result.matches)


def test_amounts_of_38_digits() -> None:
    """Amounts, and their differences, go far beyond what a machine's integers hold."""
    rule = Rule(RuleKind.AMOUNT_AND_DATE, tolerance_ppm=10_000)
    large = 10**37
    lines = [movement(1, large), movement(2, large + 10**34)]
    transactions = [movement(8, large + 10**34 + 1), movement(9, large - 10**30)]
    result = run(lines, transactions, rule)
    assert matched(result) == [((1,), (9,)), ((2,), (8,))]
    assert [match.difference for match in result.matches] == [-(10**30), 1]


def test_a_rejected_pair_is_not_matched_and_the_next_best_is() -> None:
    lines = [movement(1, 100)]
    transactions = [movement(8, 100), movement(9, 100, day=2)]
    assert matched(run(lines, transactions, DATE)) == [((1,), (8,))]
    assert matched(run(lines, transactions, DATE, rejections=[Rejection((1,), (8,))])) == [((1,), (9,))]
    both = [Rejection((1,), (8,)), Rejection((1,), (9,)), Rejection((77,), (78,))]
    assert not run(lines, transactions, DATE, rejections=both).matches


def test_many_equal_amounts_are_not_compared_with_each_other() -> None:
    chance = random.Random(1)
    count = 300
    lines = [movement(number, 500, day=chance.randrange(3)) for number in range(1, count)]
    transactions = [movement(number, 500, day=chance.randrange(3)) for number in range(1, count)]
    assert count * count > candidates.MOST_PAIRS
    result = run(lines, transactions, DATE)
    assert not result.matches
    (finding,) = findings(result, FindingKind.TOO_MANY_CANDIDATES)
    assert (len(finding.lines), len(finding.transactions)) == (count - 1, count - 1)


def test_names_separate_what_are_too_many_equal_amounts() -> None:
    names = [f"{'abcdefgh'[number % 8] * 6}{number}" for number in range(300)]
    lines = [movement(number, 500, name=name.upper()) for number, name in enumerate(names, 1)]
    transactions = [movement(number, 500, name=name) for number, name in enumerate(names, 1)]
    result = run(lines, transactions, NAME, DATE)
    assert matched(result) == [((number,), (number,)) for number in range(1, 301)]


def test_a_component_beyond_the_bound_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [movement(number, 100, day=number) for number in range(1, 5)]
    transactions = [movement(number, 100, day=number) for number in range(1, 5)]
    monkeypatch.setattr(pairing, "MOST_EDGES", 16)
    assert len(run(lines, transactions, DATE).matches) == 4
    monkeypatch.setattr(pairing, "MOST_EDGES", 15)
    result = run(lines, transactions, DATE)
    assert not result.matches
    assert found(result, FindingKind.TOO_MANY_CANDIDATES) == [((1, 2, 3, 4), (1, 2, 3, 4))]


def test_many_near_amounts_are_told() -> None:
    rule = Rule(RuleKind.AMOUNT_AND_DATE, days=3, tolerance=100)
    few = [movement(number, 1_000 + number, text=str(number)) for number in range(2, candidates.MOST_NEAR_AMOUNTS + 2)]
    assert run([movement(1, 1_000)], few, rule).matches
    many = [*few, movement(99, 999)]
    result = run([movement(1, 1_000)], many, rule)
    assert not result.matches
    assert len(findings(result, FindingKind.TOO_MANY_CANDIDATES)) == 1


def test_a_narrow_window_comes_before_a_wide_one() -> None:
    """The same reference and amount each month, the first payment missing here and the last one there: nothing is
    shifted by a month."""
    lines = [movement(number, 57_300, day=30 * number, reference="VS-5") for number in (1, 2, 3)]
    transactions = [movement(number, 57_300, day=30 * number, reference="VS-5") for number in (2, 3, 4)]
    assert default_profile().rules[0].days < 15
    result = run(lines, transactions, *default_profile().rules)
    assert matched(result) == [((2,), (2,)), ((3,), (3,))]


def test_numbers_are_unique_and_amounts_are_not_zero() -> None:
    with pytest.raises(ValueError, match="lines: number 1 is there twice"):
        run([movement(1, 100), movement(1, 200)], [], DATE)
    with pytest.raises(ValueError, match="transactions: number 9 has no amount"):
        run([], [movement(9, 0)], DATE)
