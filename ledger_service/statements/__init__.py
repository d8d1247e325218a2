"""Bank files in: pure readers from bytes to statements. Nothing here knows of the ledger, a database or a network.

`reading.read_statements` is the way in; `model` is what comes out.
"""
