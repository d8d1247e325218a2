"""Days and months in an entity's time zone, as moments. Safe where clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

FIRST_YEAR = 2
LAST_YEAR = 9998


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day. Where the clock jumps over midnight, the day begins at the jump."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def month_bounds(year: int, month: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a month, and that of the next one."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return first_moment(date(year, month, 1), zone), first_moment(following, zone)
