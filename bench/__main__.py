"""`python -m bench`."""

import os
import sys

# This process starts others beside its calls; they need nothing of gRPC's state. Without gRPC's handlers for fork() it
# is quiet. Read when gRPC is imported, and not handed on to what is measured (bench.child, bench.serving).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from bench.command import main

if __name__ == "__main__":
    sys.exit(main())
