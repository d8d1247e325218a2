"""How much a bank file may be. What is larger is refused at the limit, so that memory and time are bounded by these
numbers and not by the file.
"""

from __future__ import annotations

MAX_FILE_BYTES = 128 * 1024 * 1024
"""Size of a file; a file is held in memory whole, once as bytes and once as text."""

MAX_LINES = 200_000
"""Lines (bookings) in a file, over all its statements."""

MAX_ROWS = 2_000_000
"""Rows of a text file (all formats but XML), empty ones with them."""

MAX_STATEMENTS = 10_000
"""Statements in a file."""

MAX_WARNINGS = 100
"""Contradictions that are listed; of a file with more, the rest is counted."""

MAX_RECORD_CHARS = 8 * 1024 * 1024
"""Characters of one booking with all that belongs to it (a batch in camt lists each of its payments)."""

MAX_TEXT_CHARS = 10_000
"""Characters of one field that people read."""

MAX_REFERENCES = 64
"""Different references of one line; a batch has those of its payments in its details."""

MAX_DETAILS = 10_000
"""Payments that one line (a batch) lists."""

MAX_DEPTH = 64
"""Elements inside each other."""

MAX_ELEMENTS = 500_000
"""Elements of one booking or of one statement's head, and attributes likewise."""

MAX_COLUMNS = 256
"""Columns of a CSV file."""

MAX_WHOLE_DIGITS = 15
MAX_DECIMALS = 5
"""Digits of an amount before and after the point. ISO 20022 allows 18 together, 5 of them after the point; with
these, any sum over a file stays within the 28 digits that Python's decimals have unless told otherwise."""
