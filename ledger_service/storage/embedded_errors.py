"""The error of the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used; the message says in one line why and what to do."""


class DataFolderInUseError(EmbeddedPostgresError):
    """Another service has the data folder, and with it the server."""
