"""Reconciliation: what the bank says, what the ledger says, and why they differ."""
