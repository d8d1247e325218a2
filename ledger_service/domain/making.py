"""How to make a named tuple where a million of them are made."""

from __future__ import annotations

make = tuple.__new__
"""Makes a named tuple of all its members in their order: `make(Head, (…))` is `Head(…)` without the call of a Python
function that fills in names and defaults, at less than half of its cost. mypy does not count the members: it is for
the few kinds that every posting makes."""
