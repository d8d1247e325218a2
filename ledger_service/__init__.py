"""A double-entry ledger as a service: gRPC and REST in front, PostgreSQL behind."""

__version__ = "0.3.0"
