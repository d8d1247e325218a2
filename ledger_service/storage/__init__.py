"""PostgreSQL: the only place that imports asyncpg."""
