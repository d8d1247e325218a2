"""The parts of examples/import_bank_history.py: reading records, the bank's chart, posting, reports."""
