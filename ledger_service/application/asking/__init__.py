"""Questions in plain English: understood as a plan, run on the ledger, answered from the rows."""
