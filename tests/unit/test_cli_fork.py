"""Processes that the service starts do not run gRPC's handlers for fork(): busy threads would abort some of them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_RUN = """
import os, sys
from ledger_service.cli import main

assert not [name for name in sys.modules if name.partition(".")[0] == "grpc"], "loaded before main() could say so"
sys.argv = ["ledger-service", "--version"]
try:
    main()
except SystemExit:
    print(os.environ["GRPC_ENABLE_FORK_SUPPORT"])
"""


@pytest.mark.parametrize(("chosen", "said"), [(None, "0"), ("1", "1")])
def test_it_is_said_before_grpc_is_loaded(chosen: str | None, said: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    if chosen is not None:
        environment["GRPC_ENABLE_FORK_SUPPORT"] = chosen
    ended = subprocess.run([sys.executable, "-c", _RUN], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == said
