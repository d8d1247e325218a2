"""The matching engine against brute force, on small inputs."""

from __future__ import annotations

import random
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.matching import assignment, candidates, evidence, subsets
from ledger_service.matching.desk import Item, set_up
from ledger_service.matching.engine import reconcile
from ledger_service.matching.groups import PARTS_PPM
from ledger_service.matching.model import Charge, FindingKind, Movement, Profile, Rejection, Result, Rule, RuleKind
from ledger_service.matching.profile import default_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Edge = tuple[int, int, int]

edges = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(0, 3), min_size=1, max_size=10
).map(lambda costs: [(row, column, cost) for (row, column), cost in sorted(costs.items())])


def matchings(graph: Sequence[Edge], start: int = 0) -> Iterator[frozenset[int]]:
    """All sets of edges that share no row and no column."""
    yield frozenset()
    for place in range(start, len(graph)):
        row, column, _ = graph[place]
        for rest in matchings(graph, place + 1):
            if all(graph[other][0] != row and graph[other][1] != column for other in rest):
                yield rest | {place}


def optima(graph: Sequence[Edge]) -> list[frozenset[int]]:
    found = list(matchings(graph))
    best = min((-len(one), sum(graph[edge][2] for edge in one)) for one in found)
    return [one for one in found if (-len(one), sum(graph[edge][2] for edge in one)) == best]


@given(edges)
@settings(max_examples=400, deadline=None)
def test_assignment_is_optimal_and_what_is_ambiguous_is_exactly_what_differs(graph: list[Edge]) -> None:
    rows, columns, costs = (np.array(side, dtype=np.int64) for side in zip(*graph, strict=True))
    solved = assignment.solve(rows, columns, costs, assignment.components(rows, columns))
    best = optima(graph)
    assert set(solved.certain) == frozenset.intersection(*best)
    differing = frozenset.union(*best) - frozenset.intersection(*best)
    assert {edge for place in solved.open for edge in place.edges} == differing
    for place in solved.open:
        assert len(set(place.options)) == len(place.options) >= 2
        assert all(any(set(option) <= one for one in best) for option in place.options)
        shown = {edge for option in place.options for edge in option}
        assert shown == set(place.edges) or len(place.options) == assignment.MOST_OPTIONS
    # One option of each place, together with what is certain, is a whole optimal solution.
    assert set(solved.certain).union(*(place.options[0] for place in solved.open)) in best


amounts = st.lists(st.integers(-12, 12).filter(bool), min_size=2, max_size=9)


@given(amounts, st.integers(1, 30), st.integers(2, 5), st.integers(0, 2))
@settings(max_examples=400, deadline=None)
def test_subset_search_finds_what_brute_force_finds(items: list[int], target: int, most: int, tolerance: int) -> None:
    found = subsets.search(items, target, most, tolerance)
    positive = [place for place, amount in enumerate(items) if amount > 0]
    hits = [
        (abs(sum(items[place] for place in places) - target), places)
        for size in range(2, most + 1)
        for places in combinations(positive, size)
        if abs(sum(items[place] for place in places) - target) <= tolerance
    ]
    least = min((off for off, _ in hits), default=None)
    best = {places for off, places in hits if off == least}
    assert not found.is_cut_off
    assert len(found.found) == min(len(best), subsets.ENOUGH)
    assert set(found.found) <= best
    assert least is None or found.off_by == least


def movements(numbers_from: int, most: int = 9) -> st.SearchStrategy[list[Movement]]:
    one = st.builds(
        Movement,
        number=st.just(0),
        day=st.integers(730_000, 730_012),
        value_day=st.just(0),
        amount=st.sampled_from([-300, -100, 40, 60, 99, 100, 101, 160, 200, 300, 1_000, 1_040, 123_457, 123_557]),
        references=st.sampled_from([(), (), ("INV-1",), ("INV-2",), ("INV-0003", "X")]),
        counterparty=st.sampled_from(["", "", "Novák s.r.o.", "NOVAK", "Svoboda Jan"]),
        text=st.sampled_from(["", "payment", "inv-1 thanks"]),
        parts=st.sampled_from([(), (), (), (40, 60), (100, 60)]),
    )

    def number(items: list[Movement]) -> list[Movement]:
        return [
            Movement(
                place, item.day, item.day + place % 2, item.amount, item.references, item.counterparty, item.text,
                parts=item.parts,
            )
            for place, item in enumerate(items, numbers_from)
        ]  # fmt: skip

    return st.lists(one, max_size=most).map(number)


PAIRING = st.sampled_from([
    Rule(RuleKind.REFERENCE, days=8),
    Rule(RuleKind.REFERENCE, days=8, tolerance=3),
    Rule(RuleKind.AMOUNT_AND_COUNTERPARTY, days=8),
    Rule(RuleKind.AMOUNT_AND_DATE, days=4),
    Rule(RuleKind.AMOUNT_AND_DATE, days=8, tolerance=5),
])  # fmt: skip


def admitted(rule: Rule, line: Item, transaction: Item) -> bool:
    """The rule's own words, for each pair."""
    if not candidates.admits(rule, line, transaction):
        return False
    if rule.kind is RuleKind.REFERENCE:
        return bool(evidence.shared_references(line, transaction))
    if rule.kind is RuleKind.AMOUNT_AND_DATE:
        return not evidence.names_contradict(line, transaction, rule.similarity)
    return evidence.names_alike(line, transaction) >= rule.similarity


@given(movements(1, most=5), movements(101, most=5), PAIRING)
@settings(max_examples=300, deadline=None)
def test_a_rule_of_pairs_matches_what_all_optimal_solutions_have(
    lines: list[Movement], transactions: list[Movement], rule: Rule
) -> None:
    desk = set_up(lines, transactions, Profile((rule,)), ())
    pairs = [(one, other) for one in desk.lines for other in desk.transactions if admitted(rule, one, other)]

    def cost(chosen: frozenset[int]) -> tuple[int, int, int, int]:
        taken = [pairs[place] for place in chosen]
        return (
            -len(taken),
            sum(abs(one.amount - other.amount) for one, other in taken),
            sum(evidence.cost(one, other) for one, other in taken),
            sum(evidence.copy_cost(one, other) for one, other in taken),
        )

    solutions = list(matchings([(one.place, other.place, 0) for one, other in pairs]))
    least = min(map(cost, solutions))
    best = [one for one in solutions if cost(one) == least]
    certain = {(pairs[place][0].number, pairs[place][1].number) for place in frozenset.intersection(*best)}
    result = reconcile(lines, transactions, Profile((rule,)), (), LAST_DAY)
    # A second pass may match what the certain pairs have left unambiguous, never less than them.
    matched = {(*match.lines, *match.transactions) for match in result.matches}
    assert certain <= matched
    if len(best) > 1 and matched == certain:
        assert any(finding.kind is FindingKind.AMBIGUOUS for finding in result.findings)


def with_reversals(items: list[Movement], chance: random.Random) -> list[Movement]:
    """Some of the transactions reverse an earlier one."""
    reversed_items = [one for one in items if chance.random() < 0.2]
    return items + [
        Movement(500 + one.number, one.day, one.day, -one.amount, one.references, one.counterparty, cancels=one.number)
        for one in reversed_items
    ]


PROFILE = Profile(
    (
        *default_profile().rules,
        Rule(RuleKind.ONE_LINE_TO_MANY, days=9, tolerance=2, most=4),
        Rule(RuleKind.MANY_TO_MANY, days=9, tolerance=2, most=4),
    ),
    charges=(Charge("fee", "pay*", -1, "acc_fee", "Fee"),),
    differences=Charge("rounding", "", 0, "acc_rounding", "Rounding"),
)
LAST_DAY = 730_012


def check(lines: list[Movement], transactions: list[Movement], result: Result) -> None:
    """What must hold of every result."""
    amount_of = {one.number: one.amount for one in lines}
    amount_in = {one.number: one.amount for one in transactions}
    left = [number for match in result.matches for number in match.lines]
    right = [number for match in result.matches for number in match.transactions]
    assert len(left) == len(set(left))
    assert len(right) == len(set(right))
    for match in result.matches:
        total = sum(amount_in[one] for one in match.transactions) - sum(amount_of[one] for one in match.lines)
        assert match.difference == total
        rule = PROFILE.rules[match.rule]
        assert match.kind is rule.kind
        whole = abs(sum(amount_of[one] for one in match.lines))
        by_parts = whole * PARTS_PPM // 1_000_000 if "payments that the bank tells" in match.why else 0
        assert abs(total) <= max(rule.tolerance, whole * rule.tolerance_ppm // 1_000_000, by_parts)
        assert not (match.auto_confirm and match.difference)
        assert 0 <= match.score <= 100
        assert match.why
    told = {number for finding in result.findings for number in finding.lines}
    told_of = {number for finding in result.findings for number in finding.transactions}
    assert set(amount_of) - set(left) <= told, "an open line that nothing is said of"
    assert set(amount_in) - set(right) <= told_of, "an open transaction that nothing is said of"
    for finding in result.findings:
        if finding.kind is FindingKind.AMBIGUOUS:
            assert len(finding.options) >= 2
            assert not set(finding.lines) & set(left)
            assert not set(finding.transactions) & set(right)
    assert sum(result.matched_by_rule) == len(result.matches)


@given(movements(1), movements(101), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_every_result_adds_up_and_does_not_depend_on_the_order(
    lines: list[Movement], transactions: list[Movement], chance: random.Random
) -> None:
    transactions = with_reversals(transactions, chance)
    result = reconcile(lines, transactions, PROFILE, (), LAST_DAY)
    check(lines, transactions, result)
    chance.shuffle(lines)
    chance.shuffle(transactions)
    assert reconcile(lines, transactions, PROFILE, (), LAST_DAY) == result


@given(movements(1), movements(101), st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_what_was_rejected_never_comes_back(
    lines: list[Movement], transactions: list[Movement], chance: random.Random
) -> None:
    transactions = with_reversals(transactions, chance)
    rejections: list[Rejection] = []
    for _ in range(6):
        result = reconcile(lines, transactions, PROFILE, rejections, LAST_DAY)
        check(lines, transactions, result)
        for rejection in rejections:
            for match in result.matches:
                assert (match.lines, match.transactions) != (rejection.lines, rejection.transactions)
                if len(rejection.lines) == len(rejection.transactions) == 1:
                    both = set(rejection.lines) <= set(match.lines)
                    assert not (both and set(rejection.transactions) <= set(match.transactions))
        if not result.matches:
            break
        rejected = chance.choice(result.matches)
        rejections.append(Rejection(rejected.lines, rejected.transactions))
