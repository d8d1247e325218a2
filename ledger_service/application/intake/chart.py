"""Requests about accounts and entities, as commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from ledger_service.application.intake.fields import (
    MAX_CODE,
    MAX_KIND,
    MAX_NAME,
    RawBankAccount,
    RawLimit,
    check_time_zone,
    key,
    line,
    mask,
    metadata,
    reference_to,
    revision,
)
from ledger_service.domain import commands as c
from ledger_service.domain.account import AccountState, AccountType, BankAccount, Limit
from ledger_service.domain.errors import invalid
from ledger_service.domain.fingerprint import fingerprint
from ledger_service.domain.identifiers import check_chosen_id
from ledger_service.domain.money import Currencies, exponent_of, parse_signed

MAX_ACCOUNT_CURRENCIES = 64


def create_account(
    currencies: Currencies,
    actor: str,
    *,
    idempotency_key: str,
    account_id: str,
    fresh_id: str,
    type_: int,
    code: str,
    name: str,
    parent_id: str,
    contra: bool,
    currency_codes: Sequence[str],
    limits: Sequence[RawLimit],
    metadata_object: object,
    financial_type: str = "",
    sub_type_code: str = "",
    is_category: bool = False,
    bank_account: RawBankAccount | None = None,
) -> c.CreateAccount:
    """`fresh_id` is taken where the caller has chosen none. Raises LedgerError INVALID_ARGUMENT, UNKNOWN_CURRENCY."""
    checked_key = key(idempotency_key, required=False)
    chosen = check_chosen_id(account_id, "account_id") if account_id else None
    if type_ not in set(AccountType):
        raise invalid("type", "must be ASSET, LIABILITY, EQUITY, REVENUE or EXPENSE")
    checked_code = line(code, "code", MAX_CODE)
    checked_name = str(line(name, "name", MAX_NAME, required=True))
    parent = reference_to(parent_id, "parent_id", required=False)
    codes = _currency_codes(currencies, currency_codes)
    checked_limits = _limits(currencies, limits, codes)
    checked_metadata = metadata(metadata_object)
    checked_kind = line(financial_type, "financial_type", MAX_KIND)
    checked_sub_type = line(sub_type_code, "sub_type_code", MAX_KIND)
    checked_bank_account = _bank_account(bank_account)
    digest = fingerprint(
        "CreateAccount",
        (
            ("account_id", chosen),
            ("type", type_),
            ("code", checked_code),
            ("name", checked_name),
            ("parent_id", parent),
            ("contra", contra),
            ("currencies", codes),
            ("limits", _plain(checked_limits)),
            ("metadata", checked_metadata),
            ("financial_type", checked_kind),
            ("sub_type_code", checked_sub_type),
            ("is_category", is_category),
            ("bank_account", _plain_bank_account(checked_bank_account)),
        ),
    )
    return c.CreateAccount(
        key=checked_key,
        fingerprint=digest,
        actor=actor,
        account_id=chosen or fresh_id,
        type=AccountType(type_),
        contra=contra,
        code=checked_code,
        name=checked_name,
        parent_id=parent,
        currencies=codes,
        limits=checked_limits,
        metadata=checked_metadata,
        financial_type=checked_kind,
        sub_type_code=checked_sub_type,
        is_category=is_category,
        bank_account=checked_bank_account,
    )


ACCOUNT_FIELDS = frozenset(
    {
        "name",
        "code",
        "parent_id",
        "currencies",
        "limits",
        "metadata",
        "financial_type",
        "sub_type_code",
        "is_category",
        "bank_account",
    }
)
ENTITY_FIELDS = frozenset({"name", "time_zone", "metadata"})


def update_account(
    currencies: Currencies,
    actor: str,
    *,
    idempotency_key: str,
    account_id: str,
    fields: Iterable[str],
    name: str,
    code: str,
    parent_id: str,
    currency_codes: Sequence[str],
    limits: Sequence[RawLimit],
    metadata_object: object,
    expected_revision: int,
    financial_type: str = "",
    sub_type_code: str = "",
    is_category: bool = False,
    bank_account: RawBankAccount | None = None,
) -> c.UpdateAccount:
    """Only what `fields` names is looked at. Raises LedgerError INVALID_ARGUMENT, UNKNOWN_CURRENCY."""
    checked_key = key(idempotency_key, required=False)
    text = str(reference_to(account_id, "account_id"))
    wanted = mask(fields, ACCOUNT_FIELDS)
    command = c.UpdateAccount(
        key=checked_key,
        fingerprint=b"",
        actor=actor,
        account_id=text,
        fields=wanted,
        expected_revision=revision(expected_revision),
    )
    if "name" in wanted:
        command.name = str(line(name, "name", MAX_NAME, required=True))
    if "code" in wanted:
        command.code = line(code, "code", MAX_CODE)
    if "parent_id" in wanted:
        command.parent_id = reference_to(parent_id, "parent_id", required=False)
    if "currencies" in wanted:
        command.currencies = _currency_codes(currencies, currency_codes)
    if "limits" in wanted:
        command.limits = _limits(currencies, limits, command.currencies)
    if "metadata" in wanted:
        command.metadata = metadata(metadata_object)
    if "financial_type" in wanted:
        command.financial_type = line(financial_type, "financial_type", MAX_KIND)
    if "sub_type_code" in wanted:
        command.sub_type_code = line(sub_type_code, "sub_type_code", MAX_KIND)
    if "is_category" in wanted:
        command.is_category = is_category
    if "bank_account" in wanted:
        command.bank_account = _bank_account(bank_account)
    command.fingerprint = fingerprint(
        "UpdateAccount",
        (
            ("account_id", text),
            ("fields", tuple(sorted(wanted))),
            ("name", command.name),
            ("code", command.code),
            ("parent_id", command.parent_id),
            ("currencies", command.currencies),
            ("limits", _plain(command.limits)),
            ("metadata", command.metadata),
            ("revision", command.expected_revision),
            ("financial_type", command.financial_type),
            ("sub_type_code", command.sub_type_code),
            ("is_category", command.is_category),
            ("bank_account", _plain_bank_account(command.bank_account)),
        ),
    )
    return command


def set_account_state(actor: str, *, idempotency_key: str, account_id: str, state: AccountState) -> c.SetAccountState:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key, required=False)
    text = str(reference_to(account_id, "account_id"))
    digest = fingerprint("SetAccountState", (("account_id", text), ("state", int(state))))
    return c.SetAccountState(key=checked_key, fingerprint=digest, actor=actor, account_id=text, state=state)


def update_entity(
    actor: str,
    *,
    idempotency_key: str,
    fields: Iterable[str],
    name: str,
    time_zone: str,
    metadata_object: object,
    expected_revision: int,
) -> c.UpdateEntity:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key, required=False)
    wanted = mask(fields, ENTITY_FIELDS)
    command = c.UpdateEntity(
        key=checked_key,
        fingerprint=b"",
        actor=actor,
        fields=wanted,
        expected_revision=revision(expected_revision),
    )
    if "name" in wanted:
        command.name = str(line(name, "name", MAX_NAME, required=True))
    if "time_zone" in wanted:
        command.time_zone = check_time_zone(time_zone)
    if "metadata" in wanted:
        command.metadata = metadata(metadata_object)
    command.fingerprint = fingerprint(
        "UpdateEntity",
        (
            ("fields", tuple(sorted(wanted))),
            ("name", command.name),
            ("time_zone", command.time_zone),
            ("metadata", command.metadata),
            ("revision", command.expected_revision),
        ),
    )
    return command


def archive_entity(actor: str, *, idempotency_key: str) -> c.ArchiveEntity:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key, required=False)
    return c.ArchiveEntity(key=checked_key, fingerprint=fingerprint("ArchiveEntity", ()), actor=actor)


MIN_MASK, MAX_MASK = 2, 4


def _bank_account(raw: RawBankAccount | None) -> BankAccount | None:
    """What is known of an account at a bank; never its whole number."""
    if raw is None:
        return None
    path = "bank_account"
    mask = line(raw.mask, f"{path}.mask", MAX_KIND)
    if mask is not None and not (MIN_MASK <= len(mask) <= MAX_MASK and mask.isalnum() and mask.isascii()):
        raise invalid(f"{path}.mask", f"must be the last {MIN_MASK} to {MAX_MASK} letters or digits of the number")
    return BankAccount(
        bank_account_id=str(reference_to(raw.id, f"{path}.id")),
        name=str(line(raw.name, f"{path}.name", MAX_NAME, required=True)),
        type=line(raw.type, f"{path}.type", MAX_KIND),
        subtype=line(raw.subtype, f"{path}.subtype", MAX_KIND),
        mask=mask,
        institution_id=reference_to(raw.institution_id, f"{path}.institution_id", required=False),
        institution_name=line(raw.institution_name, f"{path}.institution_name", MAX_NAME),
    )


def _currency_codes(currencies: Currencies, codes: Sequence[str]) -> tuple[str, ...]:
    if len(codes) > MAX_ACCOUNT_CURRENCIES:
        raise invalid("currencies", f"must have at most {MAX_ACCOUNT_CURRENCIES} items")
    for index, code in enumerate(codes):
        exponent_of(code, currencies, f"currencies[{index}]")
        if code in codes[:index]:
            raise invalid(f"currencies[{index}]", "stands twice")
    return tuple(sorted(codes))


def _limits(currencies: Currencies, limits: Sequence[RawLimit], allowed: tuple[str, ...]) -> tuple[Limit, ...]:
    if len(limits) > MAX_ACCOUNT_CURRENCIES:
        raise invalid("limits", f"must have at most {MAX_ACCOUNT_CURRENCIES} items")
    checked: dict[str, Limit] = {}
    for index, (code, floor, ceiling) in enumerate(limits):
        path = f"limits[{index}]"
        exponent = exponent_of(code, currencies, f"{path}.currency")
        if code in checked:
            raise invalid(f"{path}.currency", "stands twice; give floor and ceiling of a currency together")
        if allowed and code not in allowed:
            raise invalid(f"{path}.currency", "is not among the currencies of the account")
        if floor is None and ceiling is None:
            raise invalid(path, "must have a floor or a ceiling")
        low = None if floor is None else parse_signed(floor, exponent, f"{path}.floor")
        high = None if ceiling is None else parse_signed(ceiling, exponent, f"{path}.ceiling")
        if low is not None and high is not None and low > high:
            raise invalid(f"{path}.ceiling", "must not be less than the floor")
        checked[code] = Limit(code, low, high)
    return tuple(checked[code] for code in sorted(checked))


def _plain(limits: tuple[Limit, ...]) -> tuple[tuple[str, int | None, int | None], ...]:
    return tuple((limit.currency, limit.floor, limit.ceiling) for limit in limits)


def _plain_bank_account(bank_account: BankAccount | None) -> tuple[tuple[str, str], ...]:
    """The members that are set: one that a later version adds leaves the digests of older requests as they were."""
    return () if bank_account is None else tuple((name, text) for name, text in asdict(bank_account).items() if text)
