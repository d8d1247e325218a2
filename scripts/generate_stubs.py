"""Generate the Python stubs: `protos/ledger/**/*.proto` to `clients/python/ledger/`.

Run by `make protos` (and by every target that needs the stubs) inside the virtual environment. The stubs are
not committed. They are built in a scratch folder and swapped in whole, so that a failed run leaves the old
ones in place, and a proto file that was removed leaves no stub behind.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "ledger"


def compile_protos(source: Path, target: Path) -> None:
    """Run protoc over our own proto files below `source`; exits with its message when one is wrong.

    The copies of google/rpc beside them are for tools that bring none; in Python googleapis-common-protos has
    them.
    """
    protos = sorted(path.relative_to(source).as_posix() for path in (source / PACKAGE).rglob("*.proto"))
    if not protos:
        sys.exit(f"no .proto file below {source / PACKAGE}")
    # protoc looks its plugins (mypy-protobuf) up on the PATH, and a virtual environment that is used without
    # being activated is not on it.
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    well_known_types = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [
        "protoc",
        f"--proto_path={source}",
        f"--proto_path={well_known_types}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
        *protos,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed, see above")


def finish_package(package: Path) -> None:
    """Make the generated folders regular, typed packages."""
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text('"""Generated from protos/ by scripts/generate_stubs.py."""\n')
    (package / "py.typed").touch()


def swap_in(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target`; both are on the same file system, so each step is one rename."""
    old = fresh.with_name("old")
    if target.exists():
        target.rename(old)
    fresh.rename(target)


def main() -> None:
    """Generate all stubs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protos", type=Path, default=ROOT / "protos", help="folder of the .proto files")
    parser.add_argument("--out", type=Path, default=ROOT / "clients" / "python", help="import root of the stubs")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".stubs-", dir=options.out))
    try:
        compile_protos(options.protos.resolve(), scratch)
        finish_package(scratch / PACKAGE)
        swap_in(scratch / PACKAGE, options.out / PACKAGE)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
