"""Finds which lines of a bank's statement and which transactions of the ledger are the same movements of money.

Pure: numbers in, matches and findings out; no database, clock or randomness. The same input gives the same result,
in whatever order it comes.
"""
