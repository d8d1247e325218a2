"""`ledger-service demo` against a served instance, with the token kept in its data folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.served import Finished, free_port, run, served

pytestmark = pytest.mark.timeout(180)

KINDS = (
    "deposit", "settlement", "sale", "replay", "refund", "hold", "refused", "capture", "release", "fee",
    "reversal", "payout", "cleared", "posted",
)  # fmt: skip


async def demo(*arguments: str, **variables: str) -> Finished:
    return await run("-m", "ledger_service", "demo", *arguments, **variables)


def entity_of(output: str) -> str:
    match = re.search(r"entity (demo-\S+)", output)
    assert match is not None, output
    return match.group(1)


async def test_the_day_is_played_again_and_again(tmp_path: Path) -> None:
    async with served(tmp_path, token=None) as service:
        data_dir = ("--data-dir", str(service.data_dir))
        first = await demo("--target", service.target, *data_dir)
        second = await demo(*data_dir, LEDGER_TARGET=service.target)
        assert (first.code, second.code) == (0, 0), first.output + second.output
        assert entity_of(first.output) != entity_of(second.output)
        for kind in KINDS:
            assert re.search(rf"^ *\d+ {kind} ", first.output, re.MULTILINE), (kind, first.output)
        # Held money is Ann's but not free; capture takes its part and frees the rest.
        assert re.search(r" hold .* 100\.00  Ann 160\.00 \(60\.00\)", first.output), first.output
        assert re.search(r" capture .* 65\.00  Ann 95\.00  Cleo 101\.00$", first.output, re.MULTILINE)
        assert re.search(r" posted .* 90\.00  Cleo 11\.00$", first.output, re.MULTILINE)
        assert "nets to zero" in first.output
        assert re.search(r"Customer wallets +2100 +175\.00 +175\.00", first.output), first.output
        assert max(map(len, first.output.splitlines())) <= 80

        stranger = await demo("--target", service.target, LEDGER_TOKEN="not-a-token-of-this-service")
        assert stranger.code == 1
        assert "does not know this token" in stranger.output


async def test_no_service_and_no_token_are_said_in_one_line(tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    silent = await demo("--target", nobody, LEDGER_TOKEN="some-token-0123456789")
    assert silent.code == 1
    assert silent.output.startswith(f"ledger-service: no service answers at {nobody}: start one with `make run`")
    assert len(silent.output.splitlines()) == 1
    no_token = await demo("--data-dir", str(tmp_path))
    assert no_token.code == 2
    assert "no token: put one into LEDGER_TOKEN" in no_token.output
    assert len(no_token.output.splitlines()) == 1
