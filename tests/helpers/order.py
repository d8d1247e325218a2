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

SECONDS: Mapping[str, int] = {
    "tests/integration/test_verify.py": 120,
    "tests/e2e/test_reconcile_cli.py": 75,
    "tests/integration/test_cli_serve.py": 75,
    "tests/property/test_model.py": 65,
    "tests/chaos/test_chaos.py": 50,
    "tests/e2e/test_lifecycle.py": 50,
    "tests/integration/test_tamper_evidence.py": 50,
    "tests/e2e/test_counterparties.py": 40,
    "tests/integration/test_embedded.py": 40,
    "tests/concurrency/test_commit_cut.py": 35,
    "tests/contract/test_bad_input.py": 35,
    "tests/e2e/test_backup.py": 35,
    "tests/e2e/test_bench_smoke.py": 35,
    "tests/e2e/test_backup_faults.py": 30,
    "tests/integration/test_plans.py": 30,
    "tests/property/test_reconciliation.py": 30,
    "tests/contract/test_rest_matrix.py": 25,
    "tests/e2e/test_import_bank_history.py": 25,
    "tests/e2e/test_reads.py": 25,
    "tests/e2e/test_search.py": 25,
    "tests/integration/test_token_command.py": 25,
    "tests/concurrency/test_hot_account.py": 20,
    "tests/contract/test_authorisation_matrix.py": 20,
    "tests/contract/test_rest_schema.py": 20,
    "tests/contract/test_two_worlds.py": 20,
    "tests/e2e/test_categories.py": 20,
    "tests/e2e/test_list_by_effective_time.py": 20,
    "tests/e2e/test_reconciliation_review.py": 20,
    "tests/integration/test_copying.py": 20,
    "tests/integration/test_database_rules.py": 20,
    "tests/integration/test_tls.py": 20,
    "tests/integration/test_upgrade.py": 20,
    "tests/unit/test_rendering_large.py": 20,
    "tests/e2e/test_authentication.py": 15,
    "tests/e2e/test_python_client.py": 15,
    "tests/e2e/test_reconciliation_files.py": 15,
    "tests/integration/test_beside_the_service.py": 15,
    "tests/integration/test_reading_plans.py": 15,
    "tests/integration/test_start_checks.py": 15,
    "tests/integration/test_workshop.py": 15,
    "tests/property/test_matching.py": 15,
    "tests/concurrency/test_idempotency.py": 10,
    "tests/e2e/test_asking.py": 10,
    "tests/e2e/test_reconciliation.py": 10,
    "tests/e2e/test_reconciliation_bank_files.py": 10,
    "tests/e2e/test_reconciliation_planted.py": 10,
    "tests/e2e/test_rest_ledger.py": 10,
    "tests/e2e/test_watch.py": 10,
    "tests/simulation/test_simulation.py": 10,
}
"""What the slow files take, about, with two workers on two cores: the end of each run on several prints it. A new
slow file belongs in here; nothing but the order depends on the figures."""
_ORDINARY = 0
"""Files that are not named come last, in the order of their names."""


def slow_files_first(items: list[pytest.Item]) -> None:
    """Sorts in place; the order inside of a file stays."""

    def place(item: pytest.Item) -> tuple[int, str]:
        file = file_of(item.nodeid)
        return -SECONDS.get(file, _ORDINARY), file

    items.sort(key=place)


def slowest_files(reports: Iterable[pytest.TestReport], most: int) -> Sequence[tuple[str, float]]:
    """Files with their seconds, what their tests share included, the slowest first."""
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[file_of(report.nodeid)] += report.duration  # type: ignore[assignment]
    return seconds.most_common(most)


def file_of(nodeid: str) -> str:
    """The file of a test, from the project's root."""
    return nodeid.split("::", 1)[0]
