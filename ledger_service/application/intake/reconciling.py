"""Requests about reconciliation, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from ledger_service.application.intake.fields import line, mask, prose, reference_to
from ledger_service.application.reconciling.records import ProfileRecord, RawCharge, RawProfile, RawRule
from ledger_service.domain.errors import LedgerError, invalid
from ledger_service.domain.money import parse_minor_units
from ledger_service.matching.model import Charge, Rule, RuleKind
from ledger_service.statements.csv_mapping import mapping_of

MAX_NOTE = 1000
MAX_DECIDED = 10_000
MAX_MEMBERS = 1_000
MAX_OUTSTANDING = 10_000
MAX_RULES = 32
MAX_CHARGES = 100
MAX_OPEN_ITEMS = 10_000
DEFAULT_OPEN_ITEMS = 1_000
MAX_FILE_NAME = 200
MAX_BANK_ACCOUNT = 64
_MAX_PATTERN = 200
_MAX_CHARGE_NAME = 64
_MAX_DAYS = 366
_MAX_GROUP = 100
_PPM = 1_000_000
_YEARS = (1900, 2199)
"""As in statements: with these a day has days before and after it, as many as are counted back for an item's age."""
_GROUPS = (RuleKind.ONE_LINE_TO_MANY, RuleKind.MANY_LINES_TO_ONE, RuleKind.MANY_TO_MANY)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
DIFFERENCES = "differences"
"""What the template is called by which differences within a tolerance are written off."""

PROFILE_FIELDS = frozenset({
    "rules", "charges", "difference_account_id", "difference_description", "is_inverted", "clears_transactions",
    "csv_mapping",
})  # fmt: skip


def day(text: str, field: str = "date", *, required: bool = True) -> date | None:
    """A day as "YYYY-MM-DD"; empty is None. Raises LedgerError INVALID_ARGUMENT."""
    if not text:
        if required:
            raise invalid(field, 'is required; write it like "2026-03-31"')
        return None
    try:
        if _DAY.fullmatch(text):
            found = date.fromisoformat(text)
            if _YEARS[0] <= found.year <= _YEARS[1]:
                return found
    except ValueError:
        pass
    raise invalid(field, f'{text[:40]!a} is no day from {_YEARS[0]} to {_YEARS[1]}; write it like "2026-03-31"')


def note(text: str) -> str:
    """Why something was decided."""
    return prose(text, "note", MAX_NOTE) or ""


def match_numbers(numbers: Sequence[int], *, required: bool) -> tuple[int, ...]:
    """Numbers of matches, each once, in order."""
    return _numbers(numbers, "match_numbers", MAX_DECIDED, required=required)


def line_numbers(numbers: Sequence[int]) -> tuple[int, ...]:
    """Numbers of lines, each once, in order."""
    return _numbers(numbers, "line_numbers", MAX_MEMBERS, required=False)


def _numbers(numbers: Sequence[int], field: str, most: int, *, required: bool) -> tuple[int, ...]:
    if required and not numbers:
        raise invalid(field, "names none; name at least one")
    if len(numbers) > most:
        raise invalid(field, f"must have at most {most:,} numbers, has {len(numbers):,}")
    for place, number in enumerate(numbers):
        if not 1 <= number < 2**63:
            raise invalid(f"{field}[{place}]", "must be a number from 1 on")
    if len(set(numbers)) != len(numbers):
        raise invalid(field, "names one twice")
    return tuple(sorted(numbers))


def transaction_ids(texts: Sequence[str], field: str, most: int) -> tuple[str, ...]:
    """Ids of transactions, each once."""
    if len(texts) > most:
        raise invalid(field, f"must have at most {most:,} ids, has {len(texts):,}")
    for place, text in enumerate(texts):
        reference_to(text, f"{field}[{place}]")
    if len(set(texts)) != len(texts):
        raise invalid(field, "names one twice")
    return tuple(texts)


def write_off(account_id: str, description: str) -> tuple[str, str] | None:
    """Where a difference is booked; None: not at all."""
    if not account_id:
        if description:
            raise invalid("write_off_description", "is given without write_off_account_id")
        return None
    account = str(reference_to(account_id, "write_off_account_id"))
    return account, str(line(description, "write_off_description", 200, required=True))


def bank_account(text: str) -> str:
    """The bank's name of an account, its letters and digits alone; "" if none is given."""
    found = plain_account_name(line(text, "bank_account", MAX_BANK_ACCOUNT) or "")
    if text and not found:
        raise invalid("bank_account", "has neither a letter nor a digit")
    return found


def plain_account_name(text: str) -> str:
    """What two spellings of a bank's name of an account have in common."""
    return "".join(one for one in text if one.isalnum()).upper()


def open_items(asked: int) -> int:
    """How many open items a report has; 0: the default."""
    if not 0 <= asked <= MAX_OPEN_ITEMS:
        raise invalid("max_open_items", f"must be between 1 and {MAX_OPEN_ITEMS:,}; 0 means {DEFAULT_OPEN_ITEMS:,}")
    return asked or DEFAULT_OPEN_ITEMS


def csv_mapping(pairs: Mapping[str, str], field: str = "csv_mapping") -> dict[str, str]:
    """Names and values of a mapping, checked as the reader of CSV files will."""
    if pairs:
        try:
            mapping_of([f"{name}={value}" for name, value in pairs.items()])
        except LedgerError as error:
            told = error.message.removeprefix(f"{error.metadata.get('field', '')}: ")
            raise invalid(field, told) from error
        # Only now: their names are known, and can be told.
        for name, value in pairs.items():
            line(value, f"{field}.{name}", 200, required=True)
    return dict(sorted(pairs.items()))


def profile(before: ProfileRecord, raw: RawProfile, paths: Iterable[str], exponent: int) -> ProfileRecord:
    """The profile with what `paths` names changed. Raises LedgerError INVALID_ARGUMENT."""
    wanted = mask(paths, PROFILE_FIELDS)
    changed = before.profile
    if "rules" in wanted:
        if not 1 <= len(raw.rules) <= MAX_RULES:
            raise invalid("profile.rules", f"must be 1 to {MAX_RULES}, are {len(raw.rules)}")
        changed = replace(changed, rules=tuple(_rule(one, place, exponent) for place, one in enumerate(raw.rules)))
    if "charges" in wanted:
        changed = replace(changed, charges=_charges(raw.charges))
    if wanted & {"difference_account_id", "difference_description"}:
        known = changed.differences
        account = raw.difference_account_id if "difference_account_id" in wanted else known.account_id if known else ""
        text = raw.difference_description if "difference_description" in wanted else known.description if known else ""
        changed = replace(changed, differences=_differences(account, text))
    if "is_inverted" in wanted:
        changed = replace(changed, is_inverted=raw.is_inverted)
    if "clears_transactions" in wanted:
        changed = replace(changed, clears=raw.clears_transactions)
    mapping = (
        csv_mapping(raw.csv_mapping, "profile.csv_mapping") if "csv_mapping" in wanted else dict(before.csv_mapping)
    )
    return ProfileRecord(changed, mapping)


def _rule(raw: RawRule, place: int, exponent: int) -> Rule:
    field = f"profile.rules[{place}]"
    try:
        kind = RuleKind(raw.kind)
    except ValueError:
        raise invalid(f"{field}.kind", f"must be one of {', '.join(one.value for one in RuleKind)}") from None
    _between(raw.days, f"{field}.days", 0, _MAX_DAYS)
    _between(raw.tolerance_ppm, f"{field}.tolerance_ppm", 0, _PPM)
    _between(raw.similarity, f"{field}.similarity", 0, 100)
    if kind in _GROUPS:
        _between(raw.most, f"{field}.most", 2, _MAX_GROUP)
    elif raw.most:
        _between(raw.most, f"{field}.most", 0, _MAX_GROUP)
    tolerance = parse_minor_units(raw.tolerance, exponent, f"{field}.tolerance") if raw.tolerance else 0
    return Rule(
        kind, raw.days, tolerance, raw.tolerance_ppm, raw.similarity, raw.most or Rule(kind).most, raw.auto_confirm
    )


def _between(value: int, field: str, least: int, most: int) -> None:
    if not least <= value <= most:
        raise invalid(field, f"must be between {least} and {most:,}")


def _charges(raws: Sequence[RawCharge]) -> tuple[Charge, ...]:
    if len(raws) > MAX_CHARGES:
        raise invalid("profile.charges", f"must be at most {MAX_CHARGES}, are {len(raws)}")
    charges = []
    for place, raw in enumerate(raws):
        field = f"profile.charges[{place}]"
        _between(raw.sign, f"{field}.sign", -1, 1)
        pattern = str(line(raw.pattern, f"{field}.pattern", _MAX_PATTERN, required=True))
        if not any(character.isalnum() for character in pattern):
            raise invalid(f"{field}.pattern", "has no word to look for")
        charges.append(
            Charge(
                str(line(raw.name, f"{field}.name", _MAX_CHARGE_NAME, required=True)),
                pattern,
                raw.sign,
                str(reference_to(raw.account_id, f"{field}.account_id")),
                str(line(raw.description, f"{field}.description", 200, required=True)),
            )
        )
    names = [one.name for one in charges]
    if len(set(names)) != len(names):
        raise invalid("profile.charges", "have one name twice")
    return tuple(charges)


def _differences(account_id: str, description: str) -> Charge | None:
    if not account_id and not description:
        return None
    account = str(reference_to(account_id, "profile.difference_account_id"))
    text = str(line(description, "profile.difference_description", 200, required=True))
    return Charge(DIFFERENCES, DIFFERENCES, 0, account, text)
