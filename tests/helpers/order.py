"""In which order pytest-xdist hands out test files: the slow ones first, so that no worker is left alone with one.

A file is one piece of work (`--dist loadfile`): what its tests share is made once. xdist would begin with the files
that have the most tests, which says little of their time; `make test` tells it not to (`--no-loadscope-reorder`), and
the order of the collection, which is made here, counts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pytest

SECONDS: Mapping[str, int] = {}
"""What the slow files take, about, on one of two cores. The end of each run of `make test` prints them as they are."""
_ORDINARY = 0
"""Files that are not named come last, in the order of their names."""


def slow_files_first(items: list[pytest.Item]) -> None:
    """Sorts in place; the order inside of a file stays."""
    items.sort(key=lambda item: -SECONDS.get(file_of(item.nodeid), _ORDINARY))


def slowest_files(reports: Iterable[pytest.TestReport], most: int) -> Sequence[tuple[str, float]]:
    """Files with their seconds, what their tests share included, the slowest first."""
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[file_of(report.nodeid)] += report.duration  # type: ignore[assignment]
    return seconds.most_common(most)


def file_of(nodeid: str) -> str:
    """The file of a test, from the project's root."""
    return nodeid.split("::", 1)[0]
