"""The arithmetic of the benchmark: quantiles, rates, slices of time, verdicts."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.figures import Calls, Outcome, quantile, slices
from bench.targets import BY_KEY, TARGETS, Target, Verdict

_AT_LEAST = Target("T1", "more is better", 0.55, 0.80)
_AT_MOST = Target("T2", "less is better", 3.0, 2.0, at_most=True)


def _steady(count: int, step: float, latency: float, items: int = 1) -> Calls:
    ends = [100.0 + (number + 1) * step for number in range(count)]
    return Calls(100.0, 100.0 + count * step, items, ends, [latency] * count)


@pytest.mark.parametrize(
    ("share", "found"), [(0.0, 1.0), (0.25, 1.0), (0.26, 2.0), (0.5, 2.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0)]
)
def test_quantiles_are_values_by_nearest_rank(share: float, found: float) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == found


def test_a_quantile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


def test_the_rate_counts_transactions_to_the_last_answer() -> None:
    assert _steady(10, 0.5, 0.5, items=1_000).rate == pytest.approx(2_000)


def test_nothing_answered_is_no_rate_of_zero() -> None:
    with pytest.raises(BenchError, match="SECONDS="):
        _ = Calls(0.0, 1.0, 1, [], []).rate


def test_processes_that_loaded_together_are_one_measurement() -> None:
    one = {"began": 10.0, "ended": 14.0, "ends": [12.0, 14.0], "latencies": [0.1, 0.3]}
    other = {"began": 9.0, "ended": 13.0, "ends": [11.0], "latencies": [0.2]}
    merged = Calls.merged([one, other], 1)
    assert (merged.began, merged.ended) == (9.0, 14.0)
    assert merged.rate == pytest.approx(3 / 5)
    assert merged.latency(0.5) == 0.2


def test_slices_add_up_to_the_whole() -> None:
    calls = _steady(37, 0.11, 0.3, items=5)
    # The first calls began before the measurement as it is written here: what lies outside does not count twice.
    calls.began -= 0.3
    found = slices(calls, zero=90.0, width=0.25)
    assert sum(one.rate * one.seconds for one in found) == pytest.approx(37 * 5)
    assert found[0].start == pytest.approx(9.7)
    assert found[-1].start + found[-1].seconds == pytest.approx(calls.ended - 90.0)


def test_a_long_batch_counts_over_all_the_time_that_it_took() -> None:
    found = slices(Calls(0.0, 1.0, 1_000, [1.0], [1.0]), zero=0.0, width=0.25)
    assert [round(one.rate) for one in found] == [1_000] * 4
    assert [one.p50 for one in found] == [None, None, None, 1.0]


@pytest.mark.parametrize(
    ("target", "ratio", "verdict"),
    [
        (_AT_LEAST, 0.5499, Verdict.MISSED),
        (_AT_LEAST, 0.55, Verdict.REACHED),
        (_AT_LEAST, 0.7999, Verdict.REACHED),
        (_AT_LEAST, 0.80, Verdict.STRETCH),
        (_AT_MOST, 3.01, Verdict.MISSED),
        (_AT_MOST, 3.0, Verdict.REACHED),
        (_AT_MOST, 2.01, Verdict.REACHED),
        (_AT_MOST, 2.0, Verdict.STRETCH),
        (BY_KEY["REST"], 9.0, Verdict.UNJUDGED),
    ],
)
def test_verdicts_at_their_limits(target: Target, ratio: float, verdict: Verdict) -> None:
    assert target.verdict(ratio) is verdict


def test_the_median_is_judged_and_contradicting_rounds_are_told() -> None:
    outcome = Outcome(_AT_LEAST, (0.50, 0.60, 0.70), full_size=True)
    assert outcome.median == 0.60
    assert outcome.verdict is Verdict.REACHED
    assert not outcome.is_clear
    assert Outcome(_AT_LEAST, (0.60, 0.61, 0.70), full_size=True).is_clear


def test_another_size_is_not_judged() -> None:
    outcome = Outcome(_AT_LEAST, (0.10, 0.90), full_size=False)
    assert outcome.verdict is Verdict.UNJUDGED
    assert outcome.is_clear


def test_every_target_can_be_missed_and_the_stretch_is_the_harder_one() -> None:
    for target in TARGETS:
        if target.wanted is None or target.stretch is None:
            continue
        harder = target.stretch < target.wanted if target.at_most else target.stretch > target.wanted
        assert harder, target.key
        worse = target.wanted * (1.01 if target.at_most else 0.99)
        assert target.verdict(worse) is Verdict.MISSED
