"""Between the model's words and the wire: commands become requests, answers are held against predictions."""

from __future__ import annotations

from typing import Any

from ledger.v1 import account_pb2, account_service_pb2, category_pb2, category_service_pb2, transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions_pb2
from tests.helpers.builders import money, timestamp
from tests.helpers.contract import PROMISES
from tests.helpers.model import (
    Account,
    Approve,
    ArchiveCategory,
    BalanceView,
    Categorize,
    Category,
    Clear,
    Create,
    CreateCategory,
    Edit,
    Leg,
    Limit,
    Refusal,
    RenameCategory,
    Reverse,
    SetLimits,
    SetState,
    Totals,
    Void,
)
from tests.helpers.rpc import ERROR_DOMAIN, Refused

EXPONENTS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3, "BTC": 8}


def decimal(units: int, currency: str) -> str:
    """Minor units as the wire writes them: all decimals of the currency."""
    exponent = EXPONENTS[currency]
    digits = str(abs(units)).zfill(exponent + 1)
    whole, decimals = digits[: len(digits) - exponent], digits[len(digits) - exponent :]
    return ("-" if units < 0 else "") + (f"{whole}.{decimals}" if decimals else whole)


def account_request(entity_id: str, account: Account) -> account_service_pb2.CreateAccountRequest:
    """What creates that account."""
    return account_service_pb2.CreateAccountRequest(
        entity_id=entity_id,
        account_id=account.id,
        type=account_pb2.AccountType.Value(f"ACCOUNT_TYPE_{account.type}"),
        name=account.id,
        contra=account.contra,
        parent_id=account.parent,
        currencies=account.currencies,
        limits=[limit_message(limit) for limit in account.limits],
    )


def limit_message(limit: Limit) -> account_pb2.BalanceLimit:
    """A limit as it is written on the wire."""
    return account_pb2.BalanceLimit(
        currency=limit.currency,
        floor=None if limit.floor is None else decimal(limit.floor, limit.currency),
        ceiling=None if limit.ceiling is None else decimal(limit.ceiling, limit.currency),
    )


def leg_message(leg: Leg) -> transaction_pb2.Posting:
    """A posting as it is written on the wire."""
    return transaction_pb2.Posting(
        account_id=leg.account,
        side=account_pb2.Side.Value(f"SIDE_{leg.side}"),
        amount=money(decimal(leg.amount, leg.currency), leg.currency),
    )


class Requests:
    """Makes requests of commands; knows the ids that the service gave to the model's transactions."""

    def __init__(self, entity_id: str) -> None:
        self.entity_id = entity_id
        self.ids: dict[int, str] = {}
        self.currency_of: dict[int, str] = {}

    def id_of(self, number: int) -> str:
        """The id of a transaction; of one that the model does not know an id that nobody has."""
        return self.ids.get(number, "txn_" + "0" * 26)

    def create(self, command: Create) -> transactions_pb2.CreateTransactionRequest:
        """CreateTransaction."""
        request = transactions_pb2.CreateTransactionRequest(
            entity_id=self.entity_id,
            idempotency_key=command.key,
            postings=[leg_message(leg) for leg in command.legs],
            status=transaction_pb2.TransactionStatus.Value(f"TRANSACTION_STATUS_{command.status}"),
            description=command.description,
            reference=command.reference,
            category_id=command.category,
            validate_only=command.validate_only,
        )
        if command.effective is not None:
            request.effective_time.CopyFrom(timestamp(command.effective))
        if command.expire is not None:
            request.expire_time.CopyFrom(timestamp(command.expire))
        return request

    def edit(self, command: Edit) -> transactions_pb2.EditTransactionRequest:
        """EditTransaction."""
        return transactions_pb2.EditTransactionRequest(
            entity_id=self.entity_id,
            transaction_id=self.id_of(command.number),
            idempotency_key=command.key,
            account_ids=command.accounts or (),
            description=command.description,
            expected_revision=command.expected_revision,
        )

    def approve(self, command: Approve) -> transactions_pb2.ApproveTransactionsRequest:
        """ApproveTransactions."""
        request = transactions_pb2.ApproveTransactionsRequest(entity_id=self.entity_id, idempotency_key=command.key)
        for approval in command.approvals:
            message = request.approvals.add(
                transaction_id=self.id_of(approval.number), expected_revision=approval.expected_revision
            )
            if approval.amount is not None:
                currency = self.currency_of[approval.number]
                message.amount.CopyFrom(money(decimal(approval.amount, currency), currency))
        return request

    def clear(self, command: Clear) -> transactions_pb2.ClearTransactionRequest:
        """ClearTransaction."""
        return transactions_pb2.ClearTransactionRequest(
            entity_id=self.entity_id,
            transaction_id=self.id_of(command.number),
            idempotency_key=command.key,
            expected_revision=command.expected_revision,
        )

    def void(self, command: Void) -> transactions_pb2.VoidTransactionRequest:
        """VoidTransaction."""
        return transactions_pb2.VoidTransactionRequest(
            entity_id=self.entity_id,
            transaction_id=self.id_of(command.number),
            idempotency_key=command.key,
            expected_revision=command.expected_revision,
        )

    def reverse(self, command: Reverse, legs: tuple[Leg, ...]) -> transactions_pb2.ReverseTransactionRequest:
        """ReverseTransaction; `legs` are the original's, for the currencies of the parts."""
        request = transactions_pb2.ReverseTransactionRequest(
            entity_id=self.entity_id,
            transaction_id=self.id_of(command.number),
            idempotency_key=command.key,
            description=command.description,
        )
        if command.amount is not None:
            currency = legs[0].currency
            request.amount.CopyFrom(money(decimal(command.amount, currency), currency))
        for part in command.parts:
            currency = legs[part.leg].currency
            request.parts.add(posting_index=part.leg, amount=money(decimal(part.amount, currency), currency))
        if command.effective is not None:
            request.effective_time.CopyFrom(timestamp(command.effective))
        return request

    def set_state(self, command: SetState) -> Any:
        """FreezeAccount, UnfreezeAccount or CloseAccount."""
        kinds = {
            "FROZEN": account_service_pb2.FreezeAccountRequest,
            "OPEN": account_service_pb2.UnfreezeAccountRequest,
            "CLOSED": account_service_pb2.CloseAccountRequest,
        }
        return kinds[command.state](entity_id=self.entity_id, account_id=command.account, idempotency_key=command.key)

    def set_limits(self, command: SetLimits) -> account_service_pb2.UpdateAccountRequest:
        """UpdateAccount of the limits."""
        request = account_service_pb2.UpdateAccountRequest(
            entity_id=self.entity_id,
            account_id=command.account,
            limits=[limit_message(limit) for limit in command.limits],
            idempotency_key=command.key,
        )
        request.update_mask.paths.append("limits")
        return request

    def categorize(self, command: Categorize) -> transactions_pb2.CategorizeTransactionRequest:
        """CategorizeTransaction."""
        return transactions_pb2.CategorizeTransactionRequest(
            entity_id=self.entity_id,
            transaction_id=self.id_of(command.number),
            idempotency_key=command.key,
            category_id=command.category,
            expected_revision=command.expected_revision,
        )

    def create_category(self, command: CreateCategory) -> category_service_pb2.CreateCategoryRequest:
        """CreateCategory."""
        return category_service_pb2.CreateCategoryRequest(
            entity_id=self.entity_id, category_id=command.category, name=command.name, idempotency_key=command.key
        )

    def rename_category(self, command: RenameCategory) -> category_service_pb2.UpdateCategoryRequest:
        """UpdateCategory of the name."""
        request = category_service_pb2.UpdateCategoryRequest(
            entity_id=self.entity_id,
            category_id=command.category,
            name=command.name,
            idempotency_key=command.key,
            expected_revision=command.expected_revision,
        )
        request.update_mask.paths.append("name")
        return request

    def archive_category(self, command: ArchiveCategory) -> category_service_pb2.ArchiveCategoryRequest:
        """ArchiveCategory."""
        return category_service_pb2.ArchiveCategoryRequest(
            entity_id=self.entity_id, category_id=command.category, idempotency_key=command.key
        )


_NOT_ALWAYS = {
    # An account with open children is not empty in no currency in particular.
    "ACCOUNT_NOT_EMPTY": {"currency"},
    # Accounts that an existing transaction touches stand in no field of the request.
    "ACCOUNT_NOT_FOUND": {"field"},
}


def check_refusal(expected: Refusal, got: Refused) -> None:
    """The reason that was predicted, with the code and all the metadata that errors.proto promises."""
    promise = PROMISES[expected.reason]
    assert got.reason == expected.reason, f"expected {expected}, got {got}"
    assert got.code == promise.code, got
    assert got.info is not None
    assert got.info.domain == ERROR_DOMAIN
    assert got.message, got
    missing = promise.metadata - set(got.metadata) - _NOT_ALWAYS.get(expected.reason, set())
    assert not missing, f"metadata {sorted(missing)} missing in {got}"
    for name, value in dict(expected.metadata).items():
        assert got.metadata.get(name) == value, f"expected {name}={value} in {got}"


def check_category(expected: Category, got: category_pb2.Category) -> None:
    """All of a category but its times."""
    state = category_pb2.CategoryState.Name(got.state).removeprefix("CATEGORY_STATE_")
    assert Category(got.id, got.name, state, got.sequence, got.revision) == expected


def check_balance(expected: BalanceView, got: account_pb2.Balance, *, rehearsed: bool = False) -> None:
    """All of a balance; of a rehearsal not its place in the history, which it has none of."""
    currency, normal = expected.currency, expected.normal_side
    totals = expected.totals
    place = (0, 0) if rehearsed else (expected.entry_number, expected.sequence)
    seen_place = (0, 0) if rehearsed else (got.entry_number, got.sequence)
    wanted = (
        expected.account,
        tuple(decimal(each, currency) for each in totals),
        *((currency, decimal(each, currency)) for each in (
            totals.posted(normal), totals.pending(normal), totals.available(normal),
        )),
        place,
    )  # fmt: skip
    seen = (
        got.account_id,
        totals_of(got.totals),
        *((each.currency, each.amount) for each in (got.posted, got.pending, got.available)),
        seen_place,
    )
    assert seen == wanted, f"balance {seen}, expected {wanted}"


def totals_of(message: account_pb2.Totals) -> tuple[str, ...]:
    """The four totals as they are written, in the order of the model's."""
    return tuple(str(getattr(message, name)) for name in Totals._fields)
