"""Clients of HTTP services outside: the only place that speaks HTTP to others."""
