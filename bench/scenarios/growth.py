"""G1: whether writing slows down while the ledger grows: measured while the large ledger was made."""

from __future__ import annotations

from bench.dataset import CHUNKS, LAST_CHUNKS, Dataset
from bench.errors import BenchError
from bench.running import Run
from bench.scenarios.reads import LARGE, LEAST


async def first_and_last(run: Run) -> None:
    """Each of the last chunks of 100,000 beside the first one of a fresh ledger: a ratio of each, in place of rounds.

    The large ledger's own first one was written a quarter of an hour earlier, when the machine was another one.
    """
    ledger = Dataset.of(run.options.data, run.options.scaled(LARGE, LEAST))
    state = await ledger.ensure(run.token, run.say)
    ratios = [one.growth for one in state.chunks[-LAST_CHUNKS:] if one.growth is not None]
    if not ratios:
        raise BenchError(
            f"the making of {ledger.folder} was cut off where G1 measures: remove the folder to make it anew"
        )
    run.round = 1
    for ratio in ratios:
        run.ratio("G1", ratio)
    run.facts["chunks"] = [
        {"up_to": (number + 1) * state.chunk_size, "rate": round(one.rate), "busy_before": one.busy_before,
         "resumed": one.resumed, "fresh_beside": one.beside and round(one.transactions / one.beside)}
        for number, one in enumerate(state.chunks)
    ]  # fmt: skip
    run.facts["chunk_size"] = state.chunk_size
    run.facts["verified"] = state.verified
    run.facts["what"] = (
        f"rates of {CHUNKS} chunks, when the ledger was made, and of the first one of a fresh ledger in turns with the"
        " last ones; 2 batches of 1,000 on their way"
    )
