"""Measures the service on this machine, beside what the same machine does without it."""
