"""A double-entry ledger as a service: gRPC in front, PostgreSQL behind."""

__version__ = "0.1.0"
