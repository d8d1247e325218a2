"""Broken bank files, format by format: each is refused as it should be or taken whole; nothing else, and in time.

LEDGER_FUZZ_FILES is how many files of each format are broken; LEDGER_FUZZ_SECONDS breaks files for so long instead,
others each time (`make fuzz`). A file that fails is kept in .cache/fuzz and its name is told.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.statements.csv_mapping import CsvMapping
from tests.helpers.statement_fuzz import FORMATS, any_mapping, broken, corpus, read_or_refused, tokens

FILES = int(os.environ.get("LEDGER_FUZZ_FILES", "2000"))
SECONDS = float(os.environ.get("LEDGER_FUZZ_SECONDS", "0"))
_BATCH = 200
_KEPT = Path(__file__).resolve().parents[2] / ".cache" / "fuzz"


def checked(name: str, data: bytes, mapping: CsvMapping | None = None) -> bool:
    """Whether it was taken; one that fails is kept."""
    try:
        return read_or_refused(data, mapping) is not None
    except BaseException as error:
        _KEPT.mkdir(parents=True, exist_ok=True)
        kept = _KEPT / f"{name.replace(' ', '-')}-{hashlib.sha256(data).hexdigest()[:12]}"
        kept.write_bytes(data)
        error.add_note(f"the file is {kept}, the mapping {mapping}")
        raise


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.timeout(max(120, 2 * SECONDS))
def test_broken_files(name: str) -> None:
    # The same files every time, unless it goes by the clock.
    seed = zlib.crc32(name.encode()) + (time.time_ns() if SECONDS else 0)
    random, files = Random(seed), corpus(name)
    for file in files:
        assert checked(name, file), "a sound file is refused"
    read = taken = 0
    slowest = 0.0
    end = time.monotonic() + SECONDS
    while (time.monotonic() < end) if SECONDS else (read < FILES):
        for _ in range(_BATCH):
            data = broken(files, random)
            began = time.process_time()
            taken += checked(name, data, any_mapping(random) if name.startswith("CSV") else None)
            slowest = max(slowest, time.process_time() - began)
        read += _BATCH
    print(f"\n{name}: {read:,} files, {taken:,} taken, {read - taken:,} refused, slowest {slowest * 1000:.0f} ms")


@pytest.mark.parametrize("name", FORMATS)
def test_words_of_the_format_in_any_order(name: str) -> None:
    """Hypothesis writes files of nothing but what the format is made of, and finds the smallest that fails."""
    known = sorted({token for file in corpus(name) for token in tokens(file) if len(token) < 200})
    head = corpus(name)[0][:200]

    @settings(max_examples=max(60, FILES // 20))
    @given(st.sampled_from([b"", head]), st.lists(st.sampled_from(known), max_size=40))
    def check(start: bytes, words: list[bytes]) -> None:
        checked(name, start + b"".join(words))

    check()
