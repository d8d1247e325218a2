"""From the words of a request to a command: every field checked, named in the error, and made exact.

Adapters hand over plain values; what is allowed is decided here, once for all of them. Amounts come as
decimal strings and leave as minor units.
"""
