"""The embedded PostgreSQL's data folder: who uses it, and the way to the socket in it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path

from ledger_service.storage.embedded_errors import DataFolderInUseError, EmbeddedPostgresError

PORT = 5432  # no TCP port is opened: it is only a part of the socket's name
_SOCKET_NAME = f".s.PGSQL.{PORT}"
RESTORING = "restoring"
"""Folder in the data folder while a backup is restored into it; the database in it is nobody's yet."""
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, with a final NUL.
_MAX_SOCKET_PATH_BYTES = 103


def take_lock(data_dir: Path) -> int:
    """Lock the data folder for this process; the lock ends with the process, however that ends."""
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise DataFolderInUseError(
            f"another ledger-service (process {holder}) uses {data_dir}: stop it, or choose another --data-dir"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    if os.geteuid() == 0:
        # A folder of an ordinary user stays that user's.
        owner = data_dir.stat()
        os.fchown(lock, owner.st_uid, owner.st_gid)
    return lock


def reachable(folder: Path) -> Path:
    """`folder`, or a short way to it when the path of a socket in it would exceed the system's limit.

    The short way is a symbolic link in a private temporary folder; the rights are those of `folder` itself.
    """
    if len(os.fsencode(folder / _SOCKET_NAME)) <= _MAX_SOCKET_PATH_BYTES:
        return folder
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"ledger-{os.geteuid()}-{key}"
    if len(os.fsencode(private / "pg" / _SOCKET_NAME)) > _MAX_SOCKET_PATH_BYTES:
        private = Path("/tmp") / private.name  # noqa: S108 (private: its owner and mode are checked below)
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o777 != 0o700:
        raise EmbeddedPostgresError(f"{private} was made by someone else: remove it, or choose a shorter --data-dir")
    link = private / "pg"
    if not link.is_symlink() or link.readlink() != folder:
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    return link


def remove_short_way(way: Path, folder: Path) -> None:
    """Take away what `reachable` made; nothing to do when it answered the folder itself."""
    if way != folder:
        way.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            way.parent.rmdir()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
