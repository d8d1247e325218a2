"""The settings of the embedded PostgreSQL, with the reason for each that is not plain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SETTINGS: Final[Mapping[str, str]] = {
    # The socket in the data folder (the server's working directory) is the only way in.
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "100",
    # What was acknowledged survives a crash. These are PostgreSQL's defaults, said aloud: the service refuses
    # a server that has them otherwise.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # With the defaults, entities written side by side share predicate locks by page and relation, and half of
    # the serializable transactions abort.
    "max_pred_locks_per_transaction": "4096",
    "max_pred_locks_per_relation": "20000",
    "max_pred_locks_per_page": "200",
    "shared_buffers": "256MB",
    "wal_compression": "on",
    # Fewer, larger checkpoints: each is followed by full page images in the write-ahead log.
    "checkpoint_timeout": "15min",
    "max_wal_size": "4GB",
    # Short statements: compiling them costs more than running them.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_file_mode": "0600",
    # One file per weekday, overwritten a week later: bounded without a cleaner.
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    # Statements carry amounts and descriptions; logs carry neither.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def render_settings(settings: Mapping[str, str]) -> str:
    """The text of a PostgreSQL configuration file."""
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
    return "# Written by ledger-service at each start; put your own settings into postgresql.conf.\n" + "".join(
        f"{line}\n" for line in lines
    )
