"""Requests about transactions, as commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from sys import intern

from ledger_service.application.intake.fields import (
    MAX_COUNTERPARTY,
    MAX_DESCRIPTION,
    MAX_REFERENCE,
    RawMoney,
    RawPosting,
    key,
    line,
    metadata,
    minor_units,
    prose,
    reference_to,
    required_reference,
    revision,
)
from ledger_service.domain import commands as c
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.fingerprint import digest_of, fingerprint
from ledger_service.domain.making import make
from ledger_service.domain.money import Currencies, format_minor_units
from ledger_service.domain.transaction import MAX_POSTINGS, MIN_POSTINGS, Status

MAX_APPROVALS = 1000


_FIRST_STATUSES = {0: Status.PENDING, 1: Status.PENDING, 2: Status.CLEARED, 3: Status.POSTED}


def create_transaction(
    currencies: Currencies,
    actor: str,
    *,
    idempotency_key: str,
    postings: Sequence[RawPosting],
    debit_account_id: str = "",
    credit_account_id: str = "",
    amount: RawMoney | None = None,
    status: int = 0,
    effective_time: datetime | None = None,
    expire_time: datetime | None = None,
    description: str = "",
    reference: str = "",
    counterparty: str = "",
    category_id: str = "",
    metadata_object: object = None,
    validate_only: bool = False,
) -> c.CreateTransaction:
    """Raises LedgerError INVALID_ARGUMENT, UNBALANCED_TRANSACTION, UNKNOWN_CURRENCY, each naming the field."""
    checked_key = key(idempotency_key)
    is_two_account = bool(debit_account_id or credit_account_id or amount is not None)
    if is_two_account:
        legs = _two_accounts(currencies, postings, debit_account_id, credit_account_id, amount)
    else:
        legs = _postings(currencies, postings)
    checked_status = _FIRST_STATUSES.get(status)
    if checked_status is None:
        raise invalid("status", "a new transaction is PENDING, CLEARED or POSTED")
    if expire_time is not None and checked_status is Status.POSTED:
        raise invalid("expire_time", "a transaction that is POSTED at once does not expire; leave it out")
    checked_description = prose(description, "description", MAX_DESCRIPTION)
    checked_reference = line(reference, "reference", MAX_REFERENCE)
    checked_metadata = metadata(metadata_object)
    given_counterparty = line(counterparty, "counterparty", MAX_COUNTERPARTY)
    checked_category = reference_to(category_id, "category_id", required=False)
    # `fingerprint`, written out: the whole intake of a request would cost a fifth more.
    parts = ["CreateTransaction", "postings", _written(legs), "status", str(int(checked_status))]
    if effective_time is not None:
        parts += ("effective_time", effective_time.isoformat())
    if expire_time is not None:
        parts += ("expire_time", expire_time.isoformat())
    if checked_description is not None:
        parts += ("description", repr(checked_description))
    if checked_reference is not None:
        parts += ("reference", repr(checked_reference))
    if given_counterparty is not None:
        # As given: what is taken from the metadata is in there, and an older version took nothing from it.
        parts += ("counterparty", repr(given_counterparty))
    if checked_category is not None:
        parts += ("category_id", repr(checked_category))
    if checked_metadata is not None:
        parts += ("metadata", repr(checked_metadata))
    return c.CreateTransaction(
        key=checked_key,
        fingerprint=digest_of(parts),
        actor=actor,
        postings=legs,
        status=checked_status,
        effective_time=effective_time,
        expire_time=expire_time,
        description=checked_description,
        reference=checked_reference,
        counterparty=given_counterparty or _named_in(metadata_object),
        category_id=checked_category,
        metadata=checked_metadata,
        validate_only=validate_only,
        is_two_account=is_two_account,
    )


def _written(legs: Iterable[c.NewPosting]) -> str:
    """repr() of them as plain tuples; there are always two or more."""
    return f"({', '.join([f'({account!r}, {side!r}, {code!r}, {units!r})' for account, side, code, units in legs])})"


_COUNTERPARTY_MEMBERS = ("counterparty", "vendor", "merchant", "payee", "payer", "customer")
"""Where callers who only have metadata put the other party's name; the first that is one counts."""


def _named_in(metadata_object: object) -> str | None:
    if isinstance(metadata_object, dict):
        for member in _COUNTERPARTY_MEMBERS:
            name = metadata_object.get(member)
            if isinstance(name, str) and 0 < len(name) <= MAX_COUNTERPARTY and name.isprintable() and name.strip():
                return name
    return None


def edit_transaction(
    actor: str,
    *,
    idempotency_key: str,
    transaction_id: str,
    debit_account_id: str,
    credit_account_id: str,
    account_ids: Sequence[str],
    description: str | None,
    expected_revision: int,
) -> c.EditTransaction:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key)
    text = reference_to(transaction_id, "transaction_id")
    debit = reference_to(debit_account_id, "debit_account_id", required=False)
    credit = reference_to(credit_account_id, "credit_account_id", required=False)
    if account_ids and (debit or credit):
        raise invalid("account_ids", "not together with debit_account_id and credit_account_id; use one form")
    if len(account_ids) > MAX_POSTINGS:
        raise invalid("account_ids", f"must have at most {MAX_POSTINGS} items")
    accounts = tuple(str(reference_to(account, f"account_ids[{index}]")) for index, account in enumerate(account_ids))
    if debit is not None and debit == credit:
        raise invalid("credit_account_id", "must be another account than debit_account_id")
    if not accounts and debit is None and credit is None and description is None:
        raise invalid("description", "nothing to change: give accounts or a description")
    checked_description = None
    if description is not None:
        checked_description = prose(description, "description", MAX_DESCRIPTION) or ""
    expected = revision(expected_revision)
    digest = fingerprint(
        "EditTransaction",
        (
            ("transaction_id", text),
            ("debit", debit),
            ("credit", credit),
            ("accounts", accounts),
            ("description", None if checked_description is None else (checked_description,)),
            ("revision", expected),
        ),
    )
    return c.EditTransaction(
        key=checked_key,
        fingerprint=digest,
        actor=actor,
        transaction_id=str(text),
        accounts=accounts or None,
        debit_account_id=debit,
        credit_account_id=credit,
        description=checked_description,
        expected_revision=expected,
    )


def approve_transactions(
    currencies: Currencies,
    actor: str,
    *,
    idempotency_key: str,
    approvals: Sequence[tuple[str, RawMoney | None, int]],
) -> c.ApproveTransactions:
    """Each approval: id, smaller amount or None, expected revision or 0. Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key)
    if not 1 <= len(approvals) <= MAX_APPROVALS:
        raise invalid("approvals", f"must have 1 to {MAX_APPROVALS} items, has {len(approvals)}")
    checked: list[c.Approval] = []
    seen: set[str] = set()
    for index, (text, money, expected) in enumerate(approvals):
        path = f"approvals[{index}]"
        transaction = str(reference_to(text, f"{path}.transaction_id"))
        if transaction in seen:
            raise invalid(f"{path}.transaction_id", "stands twice in this request; name each transaction once")
        seen.add(transaction)
        amount = None if money is None else minor_units(money, currencies, f"{path}.amount")
        currency = None if money is None else money.currency
        checked.append(c.Approval(transaction, currency, amount, revision(expected, f"{path}.expected_revision")))
    digest = fingerprint("ApproveTransactions", (("approvals", tuple(map(tuple, checked))),))
    return c.ApproveTransactions(key=checked_key, fingerprint=digest, actor=actor, approvals=tuple(checked))


def clear_transaction(
    actor: str, *, idempotency_key: str, transaction_id: str, expected_revision: int
) -> c.ClearTransaction:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key, text, expected, digest = _one_transaction(
        "ClearTransaction", idempotency_key, transaction_id, expected_revision
    )
    return c.ClearTransaction(
        key=checked_key, fingerprint=digest, actor=actor, transaction_id=text, expected_revision=expected
    )


def void_transaction(
    actor: str, *, idempotency_key: str, transaction_id: str, expected_revision: int
) -> c.VoidTransaction:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key, text, expected, digest = _one_transaction(
        "VoidTransaction", idempotency_key, transaction_id, expected_revision
    )
    return c.VoidTransaction(
        key=checked_key, fingerprint=digest, actor=actor, transaction_id=text, expected_revision=expected
    )


def categorize_transaction(
    actor: str, *, idempotency_key: str, transaction_id: str, category_id: str, expected_revision: int
) -> c.CategorizeTransaction:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key)
    text = str(reference_to(transaction_id, "transaction_id"))
    category = reference_to(category_id, "category_id", required=False)
    expected = revision(expected_revision)
    digest = fingerprint(
        "CategorizeTransaction", (("transaction_id", text), ("category_id", category), ("revision", expected))
    )
    return c.CategorizeTransaction(
        key=checked_key,
        fingerprint=digest,
        actor=actor,
        transaction_id=text,
        category_id=category,
        expected_revision=expected,
    )


def reverse_transaction(
    currencies: Currencies,
    actor: str,
    *,
    idempotency_key: str,
    transaction_id: str,
    amount: RawMoney | None,
    parts: Sequence[tuple[int, RawMoney | None]],
    effective_time: datetime | None,
    description: str,
    reference: str,
    metadata_object: object,
) -> c.ReverseTransaction:
    """Raises LedgerError INVALID_ARGUMENT."""
    checked_key = key(idempotency_key)
    text = str(reference_to(transaction_id, "transaction_id"))
    if amount is not None and parts:
        raise invalid("parts", "not together with amount; use one form")
    if len(parts) > MAX_POSTINGS:
        raise invalid("parts", f"must have at most {MAX_POSTINGS} items")
    units = None if amount is None else minor_units(amount, currencies, "amount")
    checked_parts: list[c.ReversalPart] = []
    for index, (leg, money) in enumerate(parts):
        path = f"parts[{index}]"
        if leg < 0 or any(leg == part.leg for part in checked_parts):
            raise invalid(f"{path}.posting_index", "must be the place of a posting, from 0, each at most once")
        if money is None:
            raise invalid(f"{path}.amount", "is required")
        part_units = minor_units(money, currencies, f"{path}.amount")
        checked_parts.append(c.ReversalPart(leg, money.currency, part_units))
    checked_description = prose(description, "description", MAX_DESCRIPTION)
    checked_reference = line(reference, "reference", MAX_REFERENCE)
    checked_metadata = metadata(metadata_object)
    digest = fingerprint(
        "ReverseTransaction",
        (
            ("transaction_id", text),
            ("amount", None if amount is None else (amount.currency, units)),
            ("parts", tuple(map(tuple, checked_parts))),
            ("effective_time", effective_time),
            ("description", checked_description),
            ("reference", checked_reference),
            ("metadata", checked_metadata),
        ),
    )
    return c.ReverseTransaction(
        key=checked_key,
        fingerprint=digest,
        actor=actor,
        transaction_id=text,
        currency=None if amount is None else amount.currency,
        amount=units,
        parts=tuple(checked_parts),
        effective_time=effective_time,
        description=checked_description,
        reference=checked_reference,
        metadata=checked_metadata,
    )


def _two_accounts(
    currencies: Currencies,
    postings: Sequence[RawPosting],
    debit_account_id: str,
    credit_account_id: str,
    amount: RawMoney | None,
) -> tuple[c.NewPosting, ...]:
    if postings:
        raise invalid("postings", "not together with debit_account_id, credit_account_id and amount; use one form")
    debit = required_reference(debit_account_id, "debit_account_id")
    credit = required_reference(credit_account_id, "credit_account_id")
    if amount is None:
        raise invalid("amount", "is required in the two-account form")
    if debit == credit:
        raise invalid("credit_account_id", "must be another account than debit_account_id")
    units = minor_units(amount, currencies, "amount")
    # Of the few currencies one text each stands in all postings, heads and entries: comparing them is for free.
    currency = intern(amount.currency)
    return make(c.NewPosting, (debit, 1, currency, units)), make(c.NewPosting, (credit, 2, currency, units))


def _postings(currencies: Currencies, postings: Sequence[RawPosting]) -> tuple[c.NewPosting, ...]:
    if not MIN_POSTINGS <= len(postings) <= MAX_POSTINGS:
        raise invalid(
            "postings",
            f"must have {MIN_POSTINGS} to {MAX_POSTINGS} items, has {len(postings)} (or use the two-account form)",
        )
    legs: list[c.NewPosting] = []
    sums: dict[str, list[int]] = {}
    for index, (account_id, side, money) in enumerate(postings):
        path = f"postings[{index}]"
        account = required_reference(account_id, f"{path}.account_id")
        if side not in (1, 2):
            raise invalid(f"{path}.side", "must be DEBIT or CREDIT")
        if money is None:
            raise invalid(f"{path}.amount", "is required")
        units = minor_units(money, currencies, f"{path}.amount")
        currency = intern(money.currency)
        legs.append(make(c.NewPosting, (account, side, currency, units)))
        both = sums.get(currency)
        if both is None:
            both = sums[currency] = [0, 0]
        both[side - 1] += units
    for currency, (left, right) in sums.items():
        if left != right:
            exponent = currencies[currency]
            shown = format_minor_units(left, exponent), format_minor_units(right, exponent)
            raise LedgerError(
                Reason.UNBALANCED_TRANSACTION,
                f"postings: debits and credits in {currency} must be equal, but are {shown[0]} and {shown[1]}",
                {"field": "postings", "currency": currency, "debits": shown[0], "credits": shown[1]},
            )
    return tuple(legs)


def _one_transaction(
    method: str, idempotency_key: str, transaction_id: str, expected_revision: int
) -> tuple[str, str, int, bytes]:
    checked_key = key(idempotency_key)
    text = str(reference_to(transaction_id, "transaction_id"))
    expected = revision(expected_revision)
    digest = fingerprint(method, (("transaction_id", text), ("revision", expected)))
    return str(checked_key), text, expected, digest
