"""Measures the service beside its yardsticks; see docs/performance.md."""
