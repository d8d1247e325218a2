"""What is measured, by name. Each scenario takes a Run, sets up its stage, and records a ratio in each round."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bench.running import Run
from bench.scenarios import batches, endurance, growth, latency, reads, rest, singles, streams

SCENARIOS: dict[str, Callable[[Run], Awaitable[None]]] = {
    "B1": batches.one_caller,
    "B2": batches.four_callers,
    "U1": singles.against_echo,
    "S1": streams.against_echo,
    "H1": singles.hot_account,
    "M1": singles.many_entities,
    "L1": latency.one_caller_alone,
    "R1": reads.balances,
    "R2": reads.pages,
    "G1": growth.first_and_last,
    "P1": latency.at_a_steady_rate,
    "O1": endurance.overload,
    "V1": endurance.memory,
    "REST": rest.against_grpc,
}

EXTRA = frozenset({"O1", "V1", "REST"})
"""Long, or without a target: measured only when named."""
