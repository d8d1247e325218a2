"""How many pools of free memory the C library keeps.

glibc gives each thread one of its own, up to eight for each processor. gRPC's threads take turns at the same work, so
what one of them frees the next can't use: the process keeps the largest need of each. With two the service's resident
size was a seventh smaller in thirteen minutes under full load, and it was no slower (docs/performance.md, "Memory").
"""

from __future__ import annotations

import ctypes
import os
import sys

ARENAS = 2
_M_ARENA_MAX = -8
"""malloc.h"""


def limit_arenas() -> None:
    """For this process, before its threads begin. The operator's MALLOC_ARENA_MAX stands; others have no such pools."""
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, ARENAS)
