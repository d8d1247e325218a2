"""Times and dates: read strictly, as RFC 3339 and ISO 8601 write them, and described as JSON Schema."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ledger_service.domain.errors import invalid
from ledger_service.gateway.json_text import shown
from ledger_service.gateway.shapes import Schema, wrong_type

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)  # fmt: skip
# The first and last instant of the calendar stand for infinity in the database's driver: a day off at either end.
_FIRST_TIME = datetime(1, 1, 2, tzinfo=UTC)
_LAST_TIME = datetime(9999, 12, 30, tzinfo=UTC)


def moment(text: str, path: str) -> datetime:
    """A time as RFC 3339 writes it. Raises LedgerError INVALID_ARGUMENT."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise invalid(path, 'must be a time with its offset, like "2023-05-15T10:30:00Z"')
    day, clock, fraction, sign, hours, minutes = match.groups()
    if fraction and len(fraction) > 6 and fraction[6:].strip("0"):
        raise invalid(path, "must be given in whole microseconds: finer ones would be lost")
    try:
        local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)
        local += timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            if int(hours) > 23 or int(minutes) > 59:
                raise ValueError("offset")
            local = local - offset if sign == "+" else local + offset
    except (ValueError, OverflowError):
        raise invalid(path, f"{shown(text)} is no time of the calendar") from None
    if not _FIRST_TIME <= local <= _LAST_TIME:
        raise invalid(path, "must lie between 0001-01-02 and 9999-12-30")
    return local


def day(text: str, path: str) -> date:
    """A date, YYYY-MM-DD. Raises LedgerError INVALID_ARGUMENT."""
    if _DATE.fullmatch(text) is None:
        raise invalid(path, 'must be a date, like "2023-05-15"')
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise invalid(path, f"{shown(text)} is no day of the calendar") from None
    if not _FIRST_TIME.date() < found < _LAST_TIME.date():
        raise invalid(path, "must lie between 0001-01-03 and 9999-12-29")
    return found


@dataclass(frozen=True, slots=True)
class Time:
    """A moment; with `or_day` a date alone as well, which the endpoint reads in the entity's time zone."""

    or_day: bool = False

    def read(self, value: object, path: str) -> datetime | date:
        """In UTC; or a date."""
        if type(value) is not str:
            raise wrong_type(path, "a string", value)
        if self.or_day and len(value) == 10:
            return day(value, path)
        return moment(value, path)

    def from_text(self, text: str, path: str) -> datetime | date:
        """The same; a plus sign that was not encoded has become a blank."""
        return self.read(text.replace(" ", "+"), path)

    def schema(self) -> Schema:
        """RFC 3339."""
        if self.or_day:
            return {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Day:
    """A date."""

    def read(self, value: object, path: str) -> date:
        """As a date."""
        if type(value) is not str:
            raise wrong_type(path, "a string", value)
        return day(value, path)

    def from_text(self, text: str, path: str) -> date:
        """The same."""
        return day(text, path)

    def schema(self) -> Schema:
        """format: date."""
        return {"type": "string", "format": "date"}
