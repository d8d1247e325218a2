"""One for many, many for one, many for many: by which evidence, and within which bounds."""

from __future__ import annotations

import pytest

from ledger_service.matching import many_to_many, subsets
from ledger_service.matching.model import FindingKind, Movement, Rejection, Rule, RuleKind
from tests.helpers.movements import findings, found, matched, movement, run

ONE_TO_MANY = Rule(RuleKind.ONE_LINE_TO_MANY, days=3)
MANY_TO_ONE = Rule(RuleKind.MANY_LINES_TO_ONE, days=3)
MANY_TO_MANY = Rule(RuleKind.MANY_TO_MANY, days=3)


def bare(first: int, *amounts: int, day: int = 0) -> list[Movement]:
    """Movements without a word, numbered from `first`."""
    return [movement(number, amount, day=day) for number, amount in enumerate(amounts, first)]


def test_a_batch_by_the_amounts_that_the_bank_tells() -> None:
    line = movement(1, 60_000, parts=(10_000, 20_000, 30_000))
    transactions = bare(5, 30_000, 20_000, 10_000, 40_000)
    (match,) = run([line], transactions, ONE_TO_MANY).matches
    assert (match.lines, match.transactions, match.difference) == ((1,), (5, 6, 7), 0)
    assert "the payments that the bank tells" in match.why


def test_parts_that_are_not_all_there_are_no_group() -> None:
    line = movement(1, 60_000, parts=(10_000, 20_000, 30_000))
    assert not run([line], bare(5, 30_000, 20_000, 11_000), ONE_TO_MANY).matches


def test_parts_with_several_candidates_are_no_group_unless_a_reference_tells() -> None:
    line = movement(1, 30_000, reference="BATCH-1", parts=(10_000, 20_000))
    twice = [movement(5, 10_000, text="a"), movement(6, 10_000, text="b"), movement(7, 20_000, text="c")]
    assert run([line], twice[1:], ONE_TO_MANY).matches
    result = run([line], twice, ONE_TO_MANY)
    assert found(result, FindingKind.AMBIGUOUS) == [((1,), (5, 6, 7))]
    told = [twice[0], movement(6, 10_000, text="b", reference="BATCH-1"), twice[2]]
    assert matched(run([line], told, ONE_TO_MANY)) == [((1,), (6, 7))]


def test_a_payout_less_its_fee_by_parts() -> None:
    line = movement(1, 29_100, parts=(10_000, 20_000))
    (match,) = run([line], bare(5, 10_000, 20_000), ONE_TO_MANY).matches
    assert match.difference == 900
    assert not run([movement(1, 25_000, parts=(10_000, 20_000))], bare(5, 10_000, 20_000), ONE_TO_MANY).matches


def test_a_payout_by_its_reference_with_the_fee_as_a_transaction() -> None:
    line = movement(1, 29_100, reference="PO-77")
    transactions = [
        movement(5, 10_000, reference="po77"),
        movement(6, 20_000, day=-2, reference="PO-77"),
        movement(7, -900, reference="PO-77"),
        movement(8, 500),
    ]
    (match,) = run([line], transactions, ONE_TO_MANY).matches
    assert (match.transactions, match.difference) == ((5, 6, 7), 0)
    assert "same reference" in match.why


def test_some_of_a_reference() -> None:
    line = movement(1, 30_000, reference="C-77")
    transactions = [
        movement(number, amount, reference="C-77") for number, amount in ((5, 10_000), (6, 20_000), (7, 777))
    ]
    assert matched(run([line], transactions, ONE_TO_MANY)) == [((1,), (5, 6))]


def test_a_payout_less_its_fee_by_tolerance_prefers_the_nearest() -> None:
    rule = Rule(RuleKind.ONE_LINE_TO_MANY, days=3, tolerance_ppm=40_000)
    line = movement(1, 29_100, reference="PO-77")
    transactions = [movement(5, 10_000, reference="PO-77"), movement(6, 20_000, reference="PO-77")]
    (match,) = run([line], transactions, rule).matches
    assert (match.transactions, match.difference, match.auto_confirm) == ((5, 6), 900, False)
    nearer = [*transactions, movement(7, 19_200, reference="PO-77")]
    (match,) = run([line], nearer, rule).matches
    assert (match.transactions, match.difference) == ((5, 7), 100)


def test_all_that_a_day_has_of_one_kind() -> None:
    """More members than are searched for: they belong together by themselves."""
    till = [movement(number, 1_000 + number, text="till", day=-1) for number in range(10, 30)]
    others = [movement(number, 5_000 + number, text="card", day=-1) for number in range(40, 45)]
    total = sum(one.amount for one in till)
    assert len(till) > ONE_TO_MANY.most
    result = run([movement(1, total)], [*till, *others], ONE_TO_MANY)
    assert matched(result) == [((1,), tuple(range(10, 30)))]
    assert found(result, FindingKind.BATCHED) == [((1,), tuple(range(10, 30)))]


def test_some_payments_of_the_same_name() -> None:
    line = movement(1, 30_123, name="Novák s.r.o.")
    transactions = [
        movement(5, 10_000, name="Novak", text="a"),
        movement(6, 20_123, name="NOVAK", day=-3),
        movement(7, 7_000, name="Novak"),
        movement(8, 10_000, name="Svoboda"),
    ]
    assert matched(run([line], transactions, ONE_TO_MANY)) == [((1,), (5, 6))]


def test_all_that_is_open_in_some_days_around() -> None:
    transactions = [*bare(5, 12_340, 13_260, day=-1), *bare(7, 15_330, 20_070)]
    assert matched(run([movement(1, 61_000)], transactions, ONE_TO_MANY)) == [((1,), (5, 6, 7, 8))]


def test_some_of_what_is_open_in_some_days_around() -> None:
    transactions = bare(5, 123_457, 234_569, 345_678, 20_011)
    line = movement(1, 123_457 + 345_678, day=1)
    assert matched(run([line], transactions, ONE_TO_MANY)) == [((1,), (5, 7))]


def test_payments_of_others_are_no_members_where_the_party_is_known() -> None:
    def members(*names: str) -> list[Movement]:
        return [
            movement(number, amount, name=name)
            for number, amount, name in zip((5, 6), (123_457, 234_569), names, strict=True)
        ]

    line = movement(1, 123_457 + 234_569, name="Novak")
    assert not run([line], [*members("Svoboda", "Cerny"), movement(7, 5, day=50, name="Novak")], ONE_TO_MANY).matches
    assert run([line], members("Svoboda", "Cerny"), ONE_TO_MANY).matches


def test_two_ways_to_make_up_an_amount_are_shown_and_none_is_taken() -> None:
    line = movement(1, 1_000_003, day=1)
    transactions = bare(5, 400_001, 600_002, 300_000, 700_003, 13)
    result = run([line], transactions, ONE_TO_MANY)
    assert not result.matches
    (finding,) = findings(result, FindingKind.AMBIGUOUS)
    assert [option.pairs for option in finding.options] == [(((1,), (5, 6)),), (((1,), (7, 8)),)]


def test_a_hit_among_so_many_is_a_coincidence() -> None:
    """Round amounts, and many of them: a sum that meets says nothing."""
    transactions = bare(5, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000)
    result = run([movement(1, 90_000, day=1)], transactions, ONE_TO_MANY)
    assert not result.matches
    assert len(findings(result, FindingKind.MISSING_IN_LEDGER)) == 1


def test_two_lines_that_claim_the_same_member() -> None:
    lines = [movement(1, 123_457 + 234_569), movement(2, 234_569 + 345_678)]
    result = run(lines, bare(5, 123_457, 234_569, 345_678), ONE_TO_MANY)
    assert not result.matches
    assert found(result, FindingKind.AMBIGUOUS) == [((1, 2), (5, 6, 7))]


def test_the_double_of_a_batch_line_is_a_double() -> None:
    lines = [movement(number, 123_457 + 234_569, text="deposit") for number in (1, 2)]
    result = run(lines, bare(5, 123_457, 234_569), ONE_TO_MANY)
    assert matched(result) == [((1,), (5, 6))]
    assert found(result, FindingKind.DUPLICATE_ON_STATEMENT) == [((2, 1), ())]


def test_days_of_a_group_are_bounded() -> None:
    def members(day: int) -> list[Movement]:
        return [movement(5, 123_457, day=day), movement(6, 234_569)]

    line = movement(1, 123_457 + 234_569)
    assert run([line], members(-3), ONE_TO_MANY).matches
    assert not run([line], members(-4), ONE_TO_MANY).matches
    by_reference = [
        movement(1, 300, reference="R-7"), movement(5, 100, day=4, reference="R-7"), movement(6, 200, reference="R-7")
    ]  # fmt: skip
    assert not run(by_reference[:1], by_reference[1:], ONE_TO_MANY).matches


def test_members_of_a_searched_group_are_bounded() -> None:
    rule = Rule(RuleKind.ONE_LINE_TO_MANY, days=3, most=3)
    amounts = (1_234_567, 2_345_679, 3_456_781)
    decoys = bare(10, 99, 77)
    assert run([movement(1, sum(amounts))], [*bare(5, *amounts), *decoys], rule).matches
    four = (*amounts, 4_567_893)
    assert not run([movement(1, sum(four))], [*bare(5, *four), *decoys], rule).matches


def test_too_many_candidates_of_one_reference() -> None:
    pool = [movement(number, 100 + number, reference="R-7") for number in range(10, 11 + subsets.MOST_CANDIDATES)]
    result = run([movement(1, 333, reference="R-7")], pool, ONE_TO_MANY)
    assert not result.matches
    (finding,) = findings(result, FindingKind.TOO_MANY_CANDIDATES)
    assert finding.lines == (1,)
    assert len(finding.transactions) == subsets.MOST_CANDIDATES + 1
    fewer = run([movement(1, 333, reference="R-7")], pool[:3], ONE_TO_MANY)
    assert matched(fewer) == [((1,), (10, 11, 12))]


def test_a_search_ends_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    even = [2 * number for number in range(1_000, 1_050)]
    assert not subsets.search(even, 99_999, 8).is_cut_off, "no eight of them reach it: one look is enough"
    assert subsets.search(even, 16_391, 8).is_cut_off
    monkeypatch.setattr(subsets, "MOST_NODES", 3)
    assert subsets.search([5, 4, 3, 2, 1], 6, 5).is_cut_off


def test_several_lines_for_one_transaction() -> None:
    lines = [movement(1, 123_457), movement(2, 234_569, day=1), movement(3, 20_011)]
    result = run(lines, [movement(9, 123_457 + 234_569)], MANY_TO_ONE)
    assert matched(result) == [((1, 2), (9,))]
    (match,) = result.matches
    assert match.why.startswith("2 lines for one: ")
    assert found(result, FindingKind.BATCHED) == [((1, 2), (9,))]


def test_instalments_of_one_invoice() -> None:
    lines = [movement(number, 10_000, day=number, reference="INV-7") for number in (1, 2, 3)]
    assert matched(run(lines, [movement(9, 30_000, reference="INV-7")], MANY_TO_ONE)) == [((1, 2, 3), (9,))]


def test_an_amount_and_its_charge_for_one_transaction() -> None:
    """The bank books the payment and its charge; the ledger has what came of both."""
    lines = [movement(1, 30_000, reference="INV-7"), movement(2, -700, reference="INV-7")]
    assert matched(run(lines, [movement(9, 29_300, reference="INV-7")], MANY_TO_ONE)) == [((1, 2), (9,))]


def test_several_for_several_by_reference_name_or_days() -> None:
    for words in ({"reference": "R-7"}, {"name": "Novak"}, {}):
        lines = [movement(1, 12_345_671, **words), movement(2, 23_456_783, day=1, **words)]
        transactions = [movement(8, 5_000_000, **words), movement(9, 30_802_454, day=1, **words)]
        result = run(lines, transactions, MANY_TO_MANY)
        assert matched(result) == [((1, 2), (8, 9))], words
        assert found(result, FindingKind.BATCHED) == [((1, 2), (8, 9))]


def test_several_for_several_need_more_than_a_coincidence() -> None:
    lines, transactions = bare(1, 1_000, 4_000), bare(8, 2_000, 3_000)
    assert not run(lines, transactions, MANY_TO_MANY).matches


def test_several_for_several_with_a_second_solution() -> None:
    words = {"reference": "R-7"}
    lines = [movement(1, 1_000, **words), movement(2, 4_000, **words), movement(3, 2_500, **words)]
    transactions = [movement(number, amount, **words) for number, amount in ((7, 2_000), (8, 3_000), (9, 1_500))]
    result = run(lines, transactions, MANY_TO_MANY)
    # 1,000 + 4,000 = 2,000 + 3,000, and 1,000 + 2,500 = 2,000 + 1,500; all six would do as well.
    assert not result.matches
    (finding,) = findings(result, FindingKind.AMBIGUOUS)
    assert (((1, 2), (7, 8)),) in [option.pairs for option in finding.options]
    assert (((1, 3), (7, 9)),) in [option.pairs for option in finding.options]


def test_a_union_of_pairs_is_no_group() -> None:
    lines = [movement(1, 1_234_567, text="a"), movement(2, 2_345_679)]
    transactions = [movement(8, 1_234_567), movement(9, 2_345_679)]
    assert not run(lines, transactions, MANY_TO_MANY).matches


def test_a_large_pool_of_one_reference_is_taken_as_a_whole_or_not_at_all() -> None:
    count = many_to_many.MOST_ON_A_SIDE + 1
    lines = [movement(number, 100 * number, reference="R-7") for number in range(1, count + 1)]
    transactions = [movement(number, 100 * number + (-1) ** number, reference="R-7") for number in range(1, count)]
    rest = sum(one.amount for one in lines) - sum(one.amount for one in transactions)
    whole = [*transactions, movement(99, rest, reference="R-7")]
    assert len(run(lines, whole, MANY_TO_MANY).matches) == 1
    result = run(lines, transactions, MANY_TO_MANY)
    assert not result.matches
    assert len(findings(result, FindingKind.TOO_MANY_CANDIDATES)) == 1


def test_too_many_meetings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_to_many, "MOST_MEETINGS", 3)
    words = {"reference": "R-7"}
    lines = [movement(1, 1_000, **words), movement(2, 4_000, **words), movement(3, 2_500, **words)]
    transactions = [movement(number, amount, **words) for number, amount in ((7, 2_000), (8, 3_000), (9, 1_500))]
    assert run(lines, transactions[:2], MANY_TO_MANY).matches
    monkeypatch.setattr(many_to_many, "MOST_MEETINGS", 1)
    assert findings(run(lines, transactions, MANY_TO_MANY), FindingKind.TOO_MANY_CANDIDATES)


def test_rejected_groups_and_pairs_stay_away() -> None:
    line, transactions = movement(1, 123_457 + 345_678, day=1), bare(5, 123_457, 234_569, 345_678)
    assert run([line], transactions, ONE_TO_MANY).matches
    for rejection in (Rejection((1,), (5, 7)), Rejection((1,), (5,))):
        assert not run([line], transactions, ONE_TO_MANY, rejections=[rejection]).matches
    many = bare(1, 12_345_671, 23_456_783), bare(8, 5_000_000, 30_802_454)
    for rejection in (Rejection((1, 2), (8, 9)), Rejection((2,), (9,))):
        assert not run(*many, MANY_TO_MANY, rejections=[rejection]).matches


def test_a_rejected_group_leaves_the_other_one() -> None:
    line = movement(1, 1_000_003, day=1)
    transactions = bare(5, 400_001, 600_002, 300_000, 700_003, 13)
    result = run([line], transactions, ONE_TO_MANY, rejections=[Rejection((1,), (5, 6))])
    assert matched(result) == [((1,), (7, 8))]
