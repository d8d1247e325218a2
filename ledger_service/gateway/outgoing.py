"""From the domain's objects to JSON, with the names of the document.

Amounts are JSON numbers with all decimals of their currency, put into the text as they are: no float in between.
Times are RFC 3339 in UTC with `Z`. A member without a value is left out, but for `description` ("") and
`metadata` ({}), which the document always shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from ledger_service.application.answers import worded
from ledger_service.application.details import Details
from ledger_service.application.ports import CounterpartyRecord, EntryRecord
from ledger_service.domain.account import Account, AccountState, AccountType, BankAccount, Entity, EntityState, Side
from ledger_service.domain.category import Category, CategoryState
from ledger_service.domain.errors import LedgerError
from ledger_service.domain.identifiers import transaction_id
from ledger_service.domain.money import Currencies, format_minor_units
from ledger_service.domain.transaction import BalanceAfter, EntryKind, Posting, Status, Transaction

Json = dict[str, Any]

DEFAULT_CURRENCY = "USD"
"""What the document takes an amount for that names none."""

_EMPTY = Raw(b"{}")
_STATUS = {status: status.name for status in Status}
_TYPE = {kind: kind.name for kind in AccountType}
_SIDE = {Side.DEBIT: "DEBIT", Side.CREDIT: "CREDIT"}
_PURPOSE = (AccountType.REVENUE, AccountType.EXPENSE)

write_json = msgspec.json.Encoder(decimal_format="number").encode
"""The bytes of an answer."""


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC, with as many decimals of the second as it has."""
    utc = moment.astimezone(UTC) if moment.tzinfo is not UTC else moment
    text = utc.isoformat()[:-6]
    return (text.rstrip("0") if utc.microsecond else text) + "Z"


def json_of(text: str | None) -> Raw:
    """Metadata, kept as JSON text, as it is."""
    return Raw(text.encode()) if text is not None else _EMPTY


class Outgoing:
    """Converts with the decimals of each currency."""

    def __init__(self, currencies: Currencies) -> None:
        self._currencies = currencies

    def worded(self, error: LedgerError) -> LedgerError:
        """A recorded refusal with its amounts as decimals."""
        return worded(error, self._currencies)

    def amount(self, currency: str, units: int) -> Raw:
        """Minor units as a JSON number with the currency's decimals."""
        return Raw(format_minor_units(units, self._currencies[currency]).encode())

    def transaction(self, entity: Entity, one: Transaction, details: Details, *, with_revision: bool = False) -> Json:
        """The transaction object; of one with more than two postings `postings` says all."""
        debit, credit = _first(one, Side.DEBIT), _first(one, Side.CREDIT)
        accounts = details.accounts
        answer = self._head(entity, one, debit, credit)
        moment = answer["timestamp"]
        answer["date"] = answer["transaction_date"] = moment
        purpose = _purpose(one, debit, details)
        answer["accountType"] = _TYPE[purpose.type]
        if purpose.financial_type is not None:
            answer["financialType"] = purpose.financial_type
        if one.category_id is not None:
            category = details.categories.get(one.category_id)
            if category is not None:
                answer["category"] = category.name
            answer["category_id"] = one.category_id
        answer["debitAccount"] = self._short_account(accounts[debit.account_no])
        answer["creditAccount"] = self._short_account(accounts[credit.account_no])
        bank_account = _bank_account(one, details)
        if bank_account is not None:
            answer["plaid_account"] = _plaid_account(bank_account)
        answer["createdAt"] = time_text(one.created_time)
        answer["updatedAt"] = time_text(one.recorded_time)
        if len(one.postings) > 2:
            answer["postings"] = [self._posting(posting) for posting in one.postings]
        if one.reference is not None:
            answer["reference"] = one.reference
        if one.counterparty is not None:
            answer["counterparty"] = one.counterparty
        if one.expire_time is not None:
            answer["expiresAt"] = time_text(one.expire_time)
        if one.reverses is not None:
            answer["reversesTransactionId"] = transaction_id(entity.entity_no, one.reverses, entity.id_key)
        if one.reversed_by:
            answer["reversedByTransactionIds"] = [
                transaction_id(entity.entity_no, number, entity.id_key) for number in one.reversed_by
            ]
        if with_revision:
            answer["revision"] = one.revision
        return answer

    def summary(self, entity: Entity, one: Transaction) -> Json:
        """The short form of a list by month; `currency` only where it is not the default one."""
        debit = _first(one, Side.DEBIT)
        answer: Json = {
            "id": transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            "description": one.description or "",
            "amount": self.amount(debit.currency, _debited(one, debit.currency)),
            "timestamp": time_text(one.effective_time),
            "status": _STATUS[one.status],
        }
        if debit.currency != DEFAULT_CURRENCY:
            answer["currency"] = debit.currency
        return answer

    def found(self, entity: Entity, one: Transaction) -> Json:
        """What a search finds."""
        debit, credit = _first(one, Side.DEBIT), _first(one, Side.CREDIT)
        return {
            **self.summary(entity, one),
            "debitAccountId": debit.account_id,
            "creditAccountId": credit.account_id,
            "currency": debit.currency,
            "metadata": json_of(one.metadata),
            "createdAt": time_text(one.created_time),
            "updatedAt": time_text(one.recorded_time),
        }

    def categorized(self, entity: Entity, one: Transaction, details: Details) -> Json:
        """What giving a category answers."""
        category = details.categories.get(one.category_id) if one.category_id is not None else None
        return {
            "id": transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            "metadata": {"categoryId": category.category_id, "categoryName": category.name} if category else {},
            "updatedAt": time_text(one.recorded_time),
        }

    def counterparty(self, one: CounterpartyRecord) -> Json:
        """With whom the entity deals; amounts in the currency of most transactions, `amounts` if there are several."""
        first = one.amounts[0]
        answer: Json = {
            "name": one.name,
            "transactionCount": one.transactions,
            "firstSeen": time_text(one.first_seen),
            "lastSeen": time_text(one.last_seen),
            "totalAmount": self.amount(first.currency, first.total),
            "averageAmount": self.amount(first.currency, first.average),
        }
        if first.currency != DEFAULT_CURRENCY:
            answer["currency"] = first.currency
        if len(one.amounts) > 1:
            answer["amounts"] = [
                {
                    "currency": dealt.currency,
                    "transactionCount": dealt.transactions,
                    "totalAmount": self.amount(dealt.currency, dealt.total),
                    "averageAmount": self.amount(dealt.currency, dealt.average),
                }
                for dealt in one.amounts
            ]
        return answer

    def category(self, entity_id: str, one: Category) -> Json:
        """A category."""
        return {
            "id": one.category_id,
            "entityId": entity_id,
            "name": one.name,
            "state": CategoryState(one.state).name,
            "metadata": json_of(one.metadata),
            "createdAt": time_text(one.created_time),
            "updatedAt": time_text(one.updated_time),
            "revision": one.revision,
        }

    def change(self, entity: Entity, one: Transaction) -> Json:
        """What an approval answers of a transaction."""
        return {
            "id": transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            "status": _STATUS[one.status],
            "updatedAt": time_text(one.recorded_time),
        }

    def edit(self, entity: Entity, one: Transaction) -> Json:
        """What an edit answers, in the snake case of the document."""
        return {
            "id": transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            "debit_account_id": _first(one, Side.DEBIT).account_id,
            "credit_account_id": _first(one, Side.CREDIT).account_id,
            "description": one.description or "",
        }

    def account(self, entity_id: str, account: Account, depth: int | None = None) -> Json:
        """An account; its depth in a tree."""
        answer: Json = {
            "id": account.account_id,
            "entityId": entity_id,
            "name": account.name,
            "type": _TYPE[account.type],
            "contra": account.contra,
            "normalSide": _SIDE[account.normal_side],
            "isCategory": account.is_category,
            "state": AccountState(account.state).name,
            "currencies": list(account.currencies),
            "limits": [self._limit(limit.currency, limit.floor, limit.ceiling) for limit in account.limits],
            "metadata": json_of(account.metadata),
            "createdAt": time_text(account.created_time),
            "updatedAt": time_text(account.updated_time),
            "revision": account.revision,
        }
        if account.code is not None:
            answer["code"] = account.code
        if account.parent_id is not None:
            answer["parentId"] = account.parent_id
        if account.financial_type is not None:
            answer["financialType"] = account.financial_type
        if account.sub_type_code is not None:
            answer["subTypeCode"] = account.sub_type_code
        if account.bank_account is not None:
            answer["bankAccount"] = _whole_bank_account(account.bank_account)
        if depth is not None:
            answer["depth"] = depth
        return answer

    def balance(self, balance: BalanceAfter) -> Json:
        """An account's balance in a currency, in the sense of its normal side."""
        currency, totals, normal = balance.currency, balance.totals, Side(balance.normal_side)
        return {
            "currency": currency,
            "posted": self.amount(currency, totals.posted(normal)),
            "pending": self.amount(currency, totals.pending(normal)),
            "available": self.amount(currency, totals.available(normal)),
            "debitsPosted": self.amount(currency, totals.debits_posted),
            "creditsPosted": self.amount(currency, totals.credits_posted),
            "debitsPending": self.amount(currency, totals.debits_pending),
            "creditsPending": self.amount(currency, totals.credits_pending),
            "entryNumber": balance.number,
            "sequence": balance.sequence,
        }

    def entry(self, entity: Entity, account: Account, one: EntryRecord) -> Json:
        """An entry of an account."""
        normal, currency = account.normal_side, one.currency
        return {
            "number": one.number,
            "transactionId": transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            "kind": EntryKind(one.kind).name,
            "side": _SIDE[Side(one.side)],
            "amount": self.amount(currency, one.amount),
            "currency": currency,
            "posted": self.amount(currency, one.totals.posted(normal)),
            "available": self.amount(currency, one.totals.available(normal)),
            "timestamp": time_text(one.effective_time),
            "recordedAt": time_text(one.recorded_time),
            "sequence": one.sequence,
        }

    def entity(self, one: Entity) -> Json:
        """An entity."""
        return {
            "id": one.entity_id,
            "name": one.name,
            "timeZone": one.time_zone,
            "state": EntityState(one.state).name,
            "metadata": json_of(one.metadata),
            "createdAt": time_text(one.created_time),
            "updatedAt": time_text(one.updated_time),
            "revision": one.revision,
        }

    def _head(self, entity: Entity, one: Transaction, debit: Posting, credit: Posting) -> Json:
        return {
            "id": transaction_id(entity.entity_no, one.transaction_no, entity.id_key),
            "entityId": entity.entity_id,
            "timestamp": time_text(one.effective_time),
            "amount": self.amount(debit.currency, _debited(one, debit.currency)),
            "currency": debit.currency,
            "description": one.description or "",
            "debitAccountId": debit.account_id,
            "creditAccountId": credit.account_id,
            "status": _STATUS[one.status],
            "metadata": json_of(one.metadata),
        }

    def _short_account(self, account: Account) -> Json:
        answer: Json = {"id": account.account_id, "name": account.name, "type": _TYPE[account.type]}
        if account.financial_type is not None:
            answer["financialType"] = account.financial_type
        if account.code is not None:
            answer["code"] = account.code
        if account.sub_type_code is not None:
            answer["subTypeCode"] = account.sub_type_code
        answer["isCategory"] = account.is_category
        return answer

    def _posting(self, posting: Posting) -> Json:
        return {
            "accountId": posting.account_id,
            "side": _SIDE[Side(posting.side)],
            "amount": self.amount(posting.currency, posting.amount),
            "currency": posting.currency,
        }

    def _limit(self, currency: str, floor: int | None, ceiling: int | None) -> Json:
        answer: Json = {"currency": currency}
        if floor is not None:
            answer["floor"] = self.amount(currency, floor)
        if ceiling is not None:
            answer["ceiling"] = self.amount(currency, ceiling)
        return answer


def page(name: str, items: Iterable[Any], token: str) -> Json:
    """A page of a list, as the document has it: on the last one `nextCursor` is null."""
    return {name: list(items), "nextCursor": token or None, "hasMore": bool(token)}


def _bank_account(one: Transaction, details: Details) -> BankAccount | None:
    """The bank account linked to one of its accounts, a debited one first."""
    for side in (Side.DEBIT, Side.CREDIT):
        for posting in one.postings:
            bank_account = details.accounts[posting.account_no].bank_account
            if posting.side == side and bank_account is not None:
                return bank_account
    return None


def _plaid_account(one: BankAccount) -> Json:
    answer: Json = {"id": one.bank_account_id, "name": one.name}
    if one.type is not None:
        answer["type"] = one.type
    if one.subtype is not None:
        answer["subtype"] = one.subtype
    if one.mask is not None:
        answer["mask"] = one.mask
    if one.institution_id is not None:
        answer["institution_id"] = one.institution_id
    return answer


def _whole_bank_account(one: BankAccount) -> Json:
    answer = _plaid_account(one)
    institution_id = answer.pop("institution_id", None)
    if institution_id is not None:
        answer["institutionId"] = institution_id
    if one.institution_name is not None:
        answer["institutionName"] = one.institution_name
    return answer


def _first(one: Transaction, side: Side) -> Posting:
    return next(posting for posting in one.postings if posting.side == side)


def _debited(one: Transaction, currency: str) -> int:
    """The sum of the debits in a currency: what the transaction moved."""
    return sum(
        posting.amount for posting in one.postings if posting.side == Side.DEBIT and posting.currency == currency
    )


def _purpose(one: Transaction, debit: Posting, details: Details) -> Account:
    """The account that says what the transaction was for: the first of revenue or expense, else the debited one."""
    for posting in one.postings:
        account = details.accounts[posting.account_no]
        if account.type in _PURPOSE:
            return account
    return details.accounts[debit.account_no]
