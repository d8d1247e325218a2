"""Shapes of what is sent."""

from __future__ import annotations

from ledger_service.application.intake.fields import (
    MAX_CODE,
    MAX_COUNTERPARTY,
    MAX_DESCRIPTION,
    MAX_KEY,
    MAX_KIND,
    MAX_NAME,
    MAX_REFERENCE,
)
from ledger_service.application.intake.searching import DEFAULT_PAGE_SIZE as DEFAULT_SEARCH_PAGE
from ledger_service.application.intake.searching import MAX_FOUND
from ledger_service.application.intake.searching import MAX_PAGE_SIZE as MAX_SEARCH_PAGE
from ledger_service.application.intake.transactions import MAX_APPROVALS
from ledger_service.domain.account import AccountType, Side
from ledger_service.domain.transaction import MAX_POSTINGS, MIN_POSTINGS, Status
from ledger_service.gateway.outgoing import DEFAULT_CURRENCY
from ledger_service.gateway.shapes import (
    Amount,
    Boolean,
    Choice,
    FreeObject,
    Integer,
    ListOf,
    Member,
    Object,
    OneOf,
    OrNull,
    Shape,
    Text,
)
from ledger_service.gateway.times import Day, Time

MAX_REVISION = 2**31 - 1

_ID = Text(longest=64, shortest=1)
_CURRENCY = Text(pattern=r"^[A-Z][A-Z0-9_]{2,11}$")
_REVISION = Integer(1, MAX_REVISION)
_TYPES = Choice(tuple(kind.name for kind in AccountType), {kind.name: int(kind) for kind in AccountType})
_SIDES = Choice(tuple(side.name for side in Side), {side.name: int(side) for side in Side})


def statuses(*allowed: Status) -> Choice:
    """Some of the statuses."""
    return Choice(tuple(status.name for status in allowed), {status.name: int(status) for status in allowed})


POSTING = Object(
    (
        Member("accountId", _ID, "The account.", required=True),
        Member("side", _SIDES, "DEBIT or CREDIT.", required=True),
        Member("amount", Amount(), "How much; greater than zero.", required=True),
        Member("currency", _CURRENCY, "By default that of the transaction."),
    ),
    name="NewPosting",
)
_TRANSACTION = (
    Member("amount", Amount(), "How much; greater than zero; at most the currency's decimals."),
    Member("debitAccountId", _ID, "The account to debit.", to="debit_account_id"),
    Member("creditAccountId", _ID, "The account to credit; another one.", to="credit_account_id"),
    Member(
        "postings",
        ListOf(POSTING, MAX_POSTINGS, MIN_POSTINGS),
        "Instead of amount, debitAccountId and creditAccountId: the legs; debits equal credits in each currency.",
    ),
    Member("currency", _CURRENCY, f"ISO 4217, by default {DEFAULT_CURRENCY}."),
    Member("date", Time(or_day=True), "When it happened; a date alone is its first moment in the entity's time zone."),
    Member("description", Text(MAX_DESCRIPTION), "For people."),
    Member("metadata", FreeObject(), "The caller's own; at most 16 KiB.", to="metadata_object"),
    Member("reference", Text(MAX_REFERENCE), "The caller's own business id, to look it up by."),
    Member("counterparty", Text(MAX_COUNTERPARTY), "Name of the other party."),
    Member("categoryId", _ID, "Its category.", to="category_id"),
    Member("expiresAt", Time(), "When it ends by itself unless approved or deleted before.", to="expire_time"),
)
CREATE = Object(
    (
        *_TRANSACTION,
        Member("status", statuses(Status.PENDING, Status.CLEARED), "PENDING by default."),
    ),
    name="NewTransaction",
    description="Either amount, debitAccountId and creditAccountId, or postings.",
)
BULK_ITEM = Object(
    (
        *_TRANSACTION,
        Member("status", statuses(Status.PENDING, Status.CLEARED, Status.POSTED), "PENDING by default."),
        Member(
            "idempotencyKey",
            Text(MAX_KEY, 1),
            "By default made from the call's Idempotency-Key and the place in the call.",
            to="idempotency_key",
        ),
    ),
    name="NewTransactionInBulk",
    description="As for one transaction; POSTED ones are final at once, and need the scope `approve`.",
)


def bulk(most: int) -> Object:
    """Many transactions."""
    return Object((
        Member("transactions", ListOf(BULK_ITEM, most, 1), "In this order; by default at most 10,000.", required=True),
        Member("atomic", Boolean(), "True: all or none. False (default): each on its own, with a result each."),
    ))  # fmt: skip


EDIT = Object((
    Member("id", _ID, "The transaction.", required=True, to="transaction_id"),
    Member("debit_account_id", _ID, "The new account to debit."),
    Member("credit_account_id", _ID, "The new account to credit."),
    Member("description", Text(MAX_DESCRIPTION), 'The new description; "" clears it.'),
    Member("expected_revision", _REVISION, "Refused unless this is the present revision."),
))  # fmt: skip

_APPROVAL = Object((Member("id", _ID, "The transaction.", required=True),), name="TransactionId")
_ONE_APPROVAL = OneOf(
    (_ID, _APPROVAL),
    "a string or an object",
    lambda value: _ID if type(value) is str else _APPROVAL if isinstance(value, dict) else None,
)
_APPROVALS = ListOf(_ONE_APPROVAL, MAX_APPROVALS, 1)


def _approve_form(value: object) -> Shape | None:
    if isinstance(value, list):
        return _APPROVALS
    return _ONE_APPROVAL.tell(value)  # type: ignore[no-any-return]


APPROVE = OneOf((_ID, _APPROVAL, _APPROVALS), "a string, an object or an array of either", _approve_form)

_TARGET = (
    Member("transactionId", _ID, "The transaction.", required=True, to="transaction_id"),
    Member("expectedRevision", _REVISION, "Refused unless this is the present revision.", to="expected_revision"),
)
CLEAR = Object(_TARGET)
POST_EXISTING = Object(
    (
        *_TARGET,
        Member("amount", Amount(), "A smaller amount than the transaction's: the rest is released. By default all."),
        Member("currency", _CURRENCY, f"Of `amount`, by default {DEFAULT_CURRENCY}."),
    ),
    name="PostTransaction",
    description="Make a PENDING or CLEARED transaction final.",
)
POST_NEW = Object(
    _TRANSACTION,
    name="NewPostedTransaction",
    description="Record a transaction that is final at once; needs the scope `write` as well.",
)
POST = OneOf(
    (POST_EXISTING, POST_NEW),
    "an object",
    lambda value: None if not isinstance(value, dict) else POST_EXISTING if "transactionId" in value else POST_NEW,
)
REVERSE = Object((
    _TARGET[0],
    Member("amount", Amount(), "How much of it, for transactions of two postings; by default all that is left."),
    Member("currency", _CURRENCY, f"Of `amount`, by default {DEFAULT_CURRENCY}."),
    Member(
        "parts",
        ListOf(
            Object((
                Member("postingIndex", Integer(0, MAX_POSTINGS - 1), "0 for the first posting.", required=True),
                Member("amount", Amount(), "How much of it.", required=True),
                Member("currency", _CURRENCY, f"By default {DEFAULT_CURRENCY}."),
            ), name="ReversalPart"),
            MAX_POSTINGS,
            1,
        ),
        "Instead of `amount`: how much of which posting.",
    ),
    Member("date", Time(or_day=True), "When the reversal counts; by default now."),
    Member("description", Text(MAX_DESCRIPTION), "For people."),
    Member("reference", Text(MAX_REFERENCE), "The caller's own business id."),
    Member("metadata", FreeObject(), "The caller's own; at most 16 KiB.", to="metadata_object"),
))  # fmt: skip

CATEGORIZE = Object((
    _TARGET[0],
    Member("categoryId", OrNull(_ID, ""), "The category; null takes it away.", required=True, to="category_id"),
    _TARGET[1],
))  # fmt: skip
SEARCH = Object((
    Member("query", Text(MAX_DESCRIPTION), 'Words of the description; off* is a beginning, "two words" a phrase.'),
    Member(
        "filters",
        Object((
            Member("dateFrom", Day(), "From this day on, in the entity's time zone."),
            Member("dateTo", Day(), "Up to and with this day."),
            Member("amountMin", Amount(or_zero=True), "At least so much, in any currency."),
            Member("amountMax", Amount(or_zero=True), "At most so much."),
            Member("status", statuses(*Status), "By default PENDING, CLEARED and POSTED."),
        )),
        "All of them must hold.",
    ),
    Member("page", Integer(1, MAX_FOUND), "1 by default."),
    Member("limit", Integer(1, MAX_SEARCH_PAGE), f"How many on a page, {DEFAULT_SEARCH_PAGE} by default."),
))  # fmt: skip
CREATE_CATEGORY = Object((
    Member("id", Text(64, 3), "3 to 64 letters, digits, _ - . ; by default made by the server.", to="category_id"),
    Member("name", Text(MAX_NAME, 1), "What people call it; no other active one has it.", required=True),
    Member("metadata", FreeObject(), "The caller's own.", to="metadata_object"),
))  # fmt: skip
UPDATE_CATEGORY = Object((
    Member("name", Text(MAX_NAME, 1), "What people call it."),
    Member("metadata", OrNull(FreeObject()), "The caller's own; null clears it."),
    Member("expectedRevision", _REVISION, "Refused unless this is the present revision.", to="expected_revision"),
))  # fmt: skip

_LIMITS = ListOf(
    Object(
        (
            Member("currency", _CURRENCY, "The currency that it bounds.", required=True),
            Member("floor", OrNull(Amount(signed=True)), "The available balance never falls below it."),
            Member("ceiling", OrNull(Amount(signed=True)), "The balance never rises above it."),
        ),
        name="NewLimit",
    ),
    64,
)
CREATE_ENTITY = Object((
    Member("id", Text(64, 3), "3 to 64 letters, digits, _ - . ; by default made by the server.", to="entity_id"),
    Member("name", Text(MAX_NAME, 1), "What people call it.", required=True),
    Member("timeZone", Text(), "IANA time zone, by default UTC.", to="time_zone"),
    Member("metadata", FreeObject(), "The caller's own.", to="metadata_object"),
))  # fmt: skip
UPDATE_ENTITY = Object((
    Member("name", Text(MAX_NAME, 1), "What people call it."),
    Member("timeZone", Text(), "IANA time zone.", to="time_zone"),
    Member("metadata", OrNull(FreeObject()), "The caller's own; null clears it."),
    Member("expectedRevision", _REVISION, "Refused unless this is the present revision.", to="expected_revision"),
))  # fmt: skip
_KIND = Text(MAX_KIND)
BANK_ACCOUNT = Object(
    (
        Member("id", _ID, "The bank's, or a data provider's, id of it.", required=True),
        Member("name", Text(MAX_NAME, 1), "What people call it.", required=True),
        Member("type", _KIND, "Such as CHECKING."),
        Member("subtype", _KIND, "A finer one."),
        Member("mask", Text(4, 2, "^[A-Za-z0-9]+$"), "The last 2 to 4 characters of its number, never all."),
        Member("institutionId", _ID, "The bank.", to="institution_id"),
        Member("institutionName", Text(MAX_NAME), "Its name.", to="institution_name"),
    ),
    name="NewBankAccount",
)
CREATE_ACCOUNT = Object((
    Member("id", Text(64, 3), "3 to 64 letters, digits, _ - . ; by default made by the server.", to="account_id"),
    Member("name", Text(MAX_NAME, 1), "What people call it.", required=True),
    Member("type", _TYPES, "Never changes.", required=True, to="type_"),
    Member("code", Text(MAX_CODE), "Its number in the chart of accounts, unique in the entity."),
    Member("parentId", _ID, "The account that it is summed up into.", to="parent_id"),
    Member("contra", Boolean(), "True: its normal side is the opposite of its type's. Never changes."),
    Member("currencies", ListOf(_CURRENCY, 64), "Currencies that it takes; by default all.", to="currency_codes"),
    Member("limits", _LIMITS, "Floors and ceilings, at most one for each currency."),
    Member("financialType", _KIND, "What it stands for in reports, such as CASH or RENT.", to="financial_type"),
    Member("subTypeCode", _KIND, "A finer one, such as CHECKING.", to="sub_type_code"),
    Member("isCategory", Boolean(), "Whether it serves as a category.", to="is_category"),
    Member("bankAccount", BANK_ACCOUNT, "The account at a bank that it mirrors.", to="bank_account"),
    Member("metadata", FreeObject(), "The caller's own.", to="metadata_object"),
))  # fmt: skip
UPDATE_ACCOUNT = Object((
    Member("name", Text(MAX_NAME, 1), "What people call it."),
    Member("code", OrNull(Text(MAX_CODE), ""), "Its number in the chart of accounts; null clears it."),
    Member("parentId", OrNull(_ID, ""), "The account that it is summed up into; null: the top.", to="parent_id"),
    Member("currencies", ListOf(_CURRENCY, 64), "Currencies that it takes; empty: all."),
    Member("limits", _LIMITS, "All floors and ceilings; those that are not sent end."),
    Member("financialType", OrNull(_KIND, ""), "What it stands for in reports; null clears it.", to="financial_type"),
    Member("subTypeCode", OrNull(_KIND, ""), "A finer one; null clears it.", to="sub_type_code"),
    Member("isCategory", Boolean(), "Whether it serves as a category.", to="is_category"),
    Member("bankAccount", OrNull(BANK_ACCOUNT), "The account at a bank; null: it mirrors none.", to="bank_account"),
    Member("metadata", OrNull(FreeObject()), "The caller's own; null clears it."),
    Member("expectedRevision", _REVISION, "Refused unless this is the present revision.", to="expected_revision"),
))  # fmt: skip
