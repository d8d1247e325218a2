"""The committer, its resolver, admission and drain on a virtual clock against a database in memory: see world.py."""
