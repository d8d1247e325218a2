"""The error of the embedded PostgreSQL."""

from __future__ import annotations


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used; the message says in one line why and what to do."""
