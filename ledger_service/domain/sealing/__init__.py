"""Tamper evidence: what was committed as canonical bytes, a hash tree over them, and proofs (docs/decisions/0021)."""
