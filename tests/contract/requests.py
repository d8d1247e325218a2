"""A right request for every method, for tests to spoil; and the small world in which it is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from google.protobuf import struct_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from ledger.v1 import account_pb2, question_pb2
from ledger.v1 import account_service_pb2 as accounts
from ledger.v1 import category_service_pb2 as categories
from ledger.v1 import entity_service_pb2 as entities
from ledger.v1 import reconciliation_pb2 as matching
from ledger.v1 import reconciliation_service_pb2 as reconciliations
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    ASSET,
    CREDIT,
    DEBIT,
    LIABILITY,
    PENDING,
    money,
    new_account,
    new_category,
    new_entity,
    posting,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.servers import ShiftedClock

if TYPE_CHECKING:
    from tests.helpers.rpc import Client

SERVICES = [
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (entities, "EntityService"),
        (accounts, "AccountService"),
        (transactions, "TransactionService"),
        (categories, "CategoryService"),
        (reconciliations, "ReconciliationService"),
    )
]
METHODS = {method.name: method for service in SERVICES for method in service.methods}
"""Every method of the services, from their descriptors."""


@dataclass(frozen=True)
class World:
    """Ids of what the requests speak of. Before the service runs they are made up."""

    entity: str = "mine"
    archivable: str = "archivable"
    other_entity: str = "theirs"
    other_account: str = "their-account"
    other_transaction: str = "txn_theirs"
    posted: str = "txn_posted"
    three_legs: str = "txn_three_legs"
    pending: str = "txn_pending"
    to_edit: str = "txn_to_edit"
    to_approve: tuple[str, str] = ("txn_to_approve_1", "txn_to_approve_2")
    to_clear: str = "txn_to_clear"
    to_void: str = "txn_to_void"
    to_categorize: str = "txn_to_categorize"
    category: str = "rent"
    archived_category: str = "archived"
    other_category: str = "their-category"
    page_token: str = "token of another query"
    outstanding: str = "txn_outstanding"
    open_transaction: str = "txn_open"


async def build_world(client: Client) -> World:
    """Make what the requests speak of."""
    mine = await new_entity(client, entity_id="mine")
    for account_id in ("wallet", "other", "closable", "freezable", "child"):
        parent = {"parent_id": "cash"} if account_id == "child" else {}
        if account_id == "wallet":
            await new_account(client, mine, "cash", ASSET)
        await new_account(client, mine, account_id, LIABILITY, **parent)
    for category_id in ("rent", "changeable", "archivable", "archived"):
        await new_category(client, mine, category_id)
    await client.categories.ArchiveCategory(categories.ArchiveCategoryRequest(entity_id=mine, category_id="archived"))
    theirs = await new_entity(client, entity_id="theirs")
    await new_category(client, theirs, "their-category")
    await new_account(client, theirs, "their-account", LIABILITY)
    await new_account(client, theirs, "their-cash", ASSET)

    async def transaction(entity: str = mine, debit: str = "cash", credit: str = "wallet", **fields: Any) -> str:
        request = transfer(entity, debit, credit, "100.00", **fields)
        return str((await client.transactions.CreateTransaction(request)).transaction.id)

    three = transactions.CreateTransactionRequest(
        entity_id=mine,
        idempotency_key=unique("three"),
        status="TRANSACTION_STATUS_POSTED",
        postings=[
            posting("cash", DEBIT, "10.00"),
            posting("wallet", CREDIT, "4.00"),
            posting("other", CREDIT, "6.00"),
        ],
    )
    page = accounts.ListAccountsRequest(entity_id=mine, page_size=1)
    return World(
        entity=mine,
        archivable=await new_entity(client, entity_id="archivable"),
        other_entity=theirs,
        other_account="their-account",
        other_transaction=await transaction(theirs, "their-cash", "their-account"),
        posted=await transaction(reference="order-1"),
        three_legs=(await client.transactions.CreateTransaction(three)).transaction.id,
        pending=await transaction(status=PENDING),
        to_edit=await transaction(status=PENDING),
        to_approve=(await transaction(status=PENDING), await transaction(status=PENDING)),
        to_clear=await transaction(status=PENDING),
        to_void=await transaction(status=PENDING),
        to_categorize=await transaction(),
        page_token=(await client.accounts.ListAccounts(page)).next_page_token,
        outstanding=await _build_account_to_start(client, mine),
        open_transaction=await _build_reconciliations(client, mine),
    )


BOOKED = {"bank": 6, "closable_bank": 0, "reopenable_bank": 0}
"""Accounts that are reconciled, and how many lines of each have their pair. Of the first, match 1 is CONFIRMED, the
others are PROPOSED, and two lines behind them are open."""
STATEMENT = (
    b"Date,Amount,Reference,Description\n"
    + b"".join(b"2026-06-%02d,%d.00,R-%d,payment\n" % (number, 100 + number, number) for number in range(1, 7))
    + b"2026-06-07,77.00,,deposit\n2026-06-08,-5.00,,deduction\n"
)
"""What the bank says about the account `bank`."""


async def _build_account_to_start(client: Client, entity: str) -> str:
    """An account that is not reconciled yet; gives a transaction of it."""
    await new_account(client, entity, "startable_bank", ASSET)
    return await _paid_in(client, entity, "startable_bank", "30.00", datetime(2026, 5, 20, 12, tzinfo=UTC))


async def _build_reconciliations(client: Client, entity: str) -> str:
    """Accounts that are reconciled, see BOOKED; gives a transaction that is open."""
    calls = client.reconciliations
    for account in BOOKED:
        await new_account(client, entity, account, ASSET)
        place = {"entity_id": entity, "account_id": account, "currency": "USD"}
        await calls.StartReconciliation(reconciliations.StartReconciliationRequest(**place, date="2026-06-01"))
    close = {"entity_id": entity, "account_id": "reopenable_bank", "date": "2026-06-30", "accept_differences": True}
    await calls.CloseReconciliation(reconciliations.CloseReconciliationRequest(**close))
    for number in range(1, 7):
        day = datetime(2026, 6, number, 12, tzinfo=UTC)
        await _paid_in(client, entity, "bank", f"{100 + number}.00", day, reference=f"R-{number}")
    deposit = await _paid_in(client, entity, "bank", "77.00", datetime(2026, 6, 7, 12, tzinfo=UTC))
    place = {"entity_id": entity, "account_id": "bank"}
    rules = matching.ReconciliationProfile(rules=[matching.MatchRule(kind="MATCH_RULE_KIND_REFERENCE", days=3)])
    await calls.UpdateReconciliationProfile(
        reconciliations.UpdateReconciliationProfileRequest(
            **place, profile=rules, update_mask=FieldMask(paths=["rules"])
        )
    )
    header = reconciliations.ImportStatementHeader(**place, file_name="june.csv")
    await calls.ImportStatement(uploaded(reconciliations.ImportStatementRequest(header=header), STATEMENT))
    await calls.RunMatching(reconciliations.RunMatchingRequest(**place))
    await calls.ConfirmMatches(reconciliations.ConfirmMatchesRequest(**place, match_numbers=[1]))
    return deposit


async def _paid_in(client: Client, entity: str, account: str, amount: str, day: datetime, **fields: Any) -> str:
    request = transfer(entity, account, "wallet", amount, effective_time=timestamp(day), **fields)
    return str((await client.transactions.CreateTransaction(request)).transaction.id)


def uploaded(first: Any, content: bytes) -> Iterator[Any]:
    """The messages of an upload: what it says of itself, and the file."""
    return iter([first, reconciliations.ImportStatementRequest(chunk=content)])


def about(method: str, request: Any) -> Any:
    """The message inside a request that says what it is about."""
    if method == "StreamCreateTransactions":
        return request.request
    return request.header if method == "ImportStatement" else request


def _metadata() -> struct_pb2.Struct:
    result = struct_pb2.Struct()
    result.update({"order": "A-1", "tags": ["x"], "n": 1})
    return result


def _bank_account() -> account_pb2.BankAccount:
    return account_pb2.BankAccount(
        id="bank-1",
        name="Operating",
        type="CHECKING",
        subtype="BUSINESS",
        mask="0042",
        institution_id="ins_1",
        institution_name="First Bank",
    )


_LIMIT = account_pb2.BalanceLimit(currency="USD", floor="-1000000.00", ceiling="1000000.00")
_PAST = timestamp(ShiftedClock().now())


def _create_entity(_: World) -> Any:
    return entities.CreateEntityRequest(
        entity_id=unique("fresh"), name="Fresh", time_zone="Europe/Prague", metadata=_metadata()
    )


def _update_entity(w: World) -> Any:
    return entities.UpdateEntityRequest(
        entity_id=w.entity,
        update_mask=FieldMask(paths=["name", "time_zone", "metadata"]),
        name="Mine",
        time_zone="UTC",
        metadata=_metadata(),
        idempotency_key=unique("key"),
    )


def _create_account(w: World) -> Any:
    return accounts.CreateAccountRequest(
        entity_id=w.entity,
        account_id=unique("fresh"),
        type=LIABILITY,
        code=unique("10"),
        name="Fresh",
        parent_id="cash",
        currencies=["USD", "EUR"],
        limits=[_LIMIT],
        metadata=_metadata(),
        idempotency_key=unique("key"),
        financial_type="CASH",
        sub_type_code="CHECKING",
        is_category=True,
        bank_account=_bank_account(),
    )


def _batch_create_accounts(w: World) -> Any:
    request = accounts.BatchCreateAccountsRequest(entity_id=w.entity, requests=[_create_account(w) for _ in range(3)])
    for each in request.requests:
        each.ClearField("entity_id")
    return request


def _list_accounts(w: World) -> Any:
    return accounts.ListAccountsRequest(
        entity_id=w.entity,
        page_size=10,
        parent_id="cash",
        type=LIABILITY,
        code_prefix="10",
        state="ACCOUNT_STATE_OPEN",
    )


def _update_account(w: World) -> Any:
    return accounts.UpdateAccountRequest(
        entity_id=w.entity,
        account_id="child",
        update_mask=FieldMask(
            paths=[
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
            ]
        ),
        name="Child",
        code=unique("10"),
        parent_id="cash",
        currencies=["USD"],
        limits=[_LIMIT],
        metadata=_metadata(),
        idempotency_key=unique("key"),
        financial_type="CASH",
        sub_type_code="CHECKING",
        is_category=True,
        bank_account=_bank_account(),
    )


def _balance_moment(*, by_time: bool) -> accounts.BalanceMoment:
    known: dict[str, Any] = {"known_time": _PAST} if by_time else {"known_sequence": 3}
    return accounts.BalanceMoment(effective_time=_PAST, **known)


def _get_balance(w: World, *, by_time: bool = True) -> Any:
    return accounts.GetBalanceRequest(
        entity_id=w.entity, account_id="cash", currency="USD", moment=_balance_moment(by_time=by_time)
    )


def _batch_get_balances(w: World, *, by_time: bool = True) -> Any:
    return accounts.BatchGetBalancesRequest(
        entity_id=w.entity,
        account_ids=["cash", "wallet"],
        currency="USD",
        moment=_balance_moment(by_time=by_time),
    )


def create_transaction(w: World) -> transactions.CreateTransactionRequest:
    """Everything set; the form with postings."""
    return transactions.CreateTransactionRequest(
        entity_id=w.entity,
        idempotency_key=unique("key"),
        postings=[posting("cash", DEBIT, "10.00"), posting("wallet", CREDIT, "10.00")],
        status=PENDING,
        effective_time=_PAST,
        description="Rent,\nMay",
        reference="order-1",
        counterparty="Landlord",
        category_id="rent",
        metadata=_metadata(),
        expire_time=timestamp(ShiftedClock().now().replace(year=2100)),
    )


def _two_accounts(w: World) -> Any:
    request = create_transaction(w)
    request.ClearField("postings")
    request.debit_account_id = "cash"
    request.credit_account_id = "wallet"
    request.amount.CopyFrom(money("10.00"))
    return request


def _batch(w: World, item: Callable[[World], Any] = create_transaction) -> Any:
    request = transactions.BatchCreateTransactionsRequest(entity_id=w.entity, requests=[item(w), item(w), item(w)])
    for each in request.requests:
        each.ClearField("entity_id")
    return request


def _stream(w: World, item: Callable[[World], Any] = create_transaction) -> Any:
    return transactions.StreamCreateTransactionsRequest(request=item(w))


def _list_transactions(w: World) -> Any:
    return transactions.ListTransactionsRequest(
        entity_id=w.entity,
        page_size=10,
        statuses=["TRANSACTION_STATUS_PENDING", "TRANSACTION_STATUS_POSTED"],
        account_id="cash",
        effective_from=timestamp(_PAST.ToDatetime().replace(year=2001)),
        effective_before=timestamp(_PAST.ToDatetime().replace(year=2100)),
    )


def _list_by_effective_time(w: World) -> Any:
    request = _list_transactions(w)
    request.ClearField("account_id")
    request.order = transactions.TRANSACTION_ORDER_EFFECTIVE
    return request


def _search(w: World) -> Any:
    return transactions.SearchTransactionsRequest(
        entity_id=w.entity,
        query='rent "may 2026" off*',
        effective_from=timestamp(_PAST.ToDatetime().replace(year=2001)),
        effective_before=timestamp(_PAST.ToDatetime().replace(year=2100)),
        amount_min="1.00",
        amount_max="1000000.00",
        status=PENDING,
        page=1,
        page_size=10,
    )


def _edit(w: World, **fields: Any) -> Any:
    return transactions.EditTransactionRequest(
        entity_id=w.entity,
        transaction_id=w.to_edit,
        idempotency_key=unique("key"),
        description="Edited",
        **fields,
    )


def _approve(w: World) -> Any:
    request = transactions.ApproveTransactionsRequest(entity_id=w.entity, idempotency_key=unique("key"))
    for transaction_id in w.to_approve:
        request.approvals.add(transaction_id=transaction_id, amount=money("60.00"))
    return request


def _reverse(w: World, **fields: Any) -> Any:
    return transactions.ReverseTransactionRequest(
        entity_id=w.entity,
        transaction_id=w.three_legs if "parts" in fields else w.posted,
        idempotency_key=unique("key"),
        effective_time=_PAST,
        description="Refund",
        reference="refund-1",
        metadata=_metadata(),
        **fields,
    )


def _parts() -> list[transactions.ReversalPart]:
    return [transactions.ReversalPart(posting_index=index, amount=money("1.00")) for index in (0, 1)]


def _keyed(kind: Any, **fields: Any) -> Any:
    return kind(idempotency_key=unique("key"), **fields)


def _create_category(w: World) -> Any:
    return categories.CreateCategoryRequest(
        entity_id=w.entity,
        category_id=unique("fresh"),
        name=unique("Fresh"),
        metadata=_metadata(),
        idempotency_key=unique("key"),
    )


def _update_category(w: World) -> Any:
    return categories.UpdateCategoryRequest(
        entity_id=w.entity,
        category_id="changeable",
        update_mask=FieldMask(paths=["name", "metadata"]),
        name=unique("Changed"),
        metadata=_metadata(),
        idempotency_key=unique("key"),
    )


def _categorize(w: World) -> Any:
    return transactions.CategorizeTransactionRequest(
        entity_id=w.entity, transaction_id=w.to_categorize, idempotency_key=unique("key"), category_id=w.category
    )


def _place(w: World, account: str = "bank") -> dict[str, str]:
    return {"entity_id": w.entity, "account_id": account, "currency": "USD"}


def _update_profile(w: World) -> Any:
    profile = matching.ReconciliationProfile(
        rules=[
            matching.MatchRule(kind="MATCH_RULE_KIND_REFERENCE", days=3, similarity=85, most=8, auto_confirm=True),
            matching.MatchRule(
                kind="MATCH_RULE_KIND_ONE_LINE_TO_MANY",
                days=5,
                tolerance="0.05",
                tolerance_ppm=100,
                similarity=90,
                most=20,
            ),
        ],
        charges=[
            matching.ChargeTemplate(
                name="fees", pattern="account fee*", sign=-1, account_id="other", description="Bank fee"
            )
        ],
        difference_account_id="other",
        difference_description="Difference",
        clears_transactions=True,
        csv_mapping={"date": "Date", "amount": "Amount"},
    )
    return _keyed(
        reconciliations.UpdateReconciliationProfileRequest,
        **_place(w),
        profile=profile,
        update_mask=FieldMask(paths=[field.name for field in profile.DESCRIPTOR.fields]),
    )


def _import_statement(w: World) -> Any:
    header = _keyed(
        reconciliations.ImportStatementHeader,
        **_place(w),
        file_name="july.csv",
        csv_mapping={"reference": "Reference"},
        opening_balance="693.00",
        closing_balance="703.00",
    )
    return reconciliations.ImportStatementRequest(header=header)


def _create_match(w: World) -> Any:
    return _keyed(
        reconciliations.CreateMatchRequest,
        **_place(w),
        line_numbers=[7],
        transaction_ids=[w.open_transaction],
        note="the same money",
    )


def _create_fee(w: World) -> Any:
    return _keyed(
        reconciliations.CreateMatchRequest,
        **_place(w),
        line_numbers=[8],
        write_off_account_id="other",
        write_off_description="Bank fee",
    )


def _decide(kind: Any, w: World, *numbers: int, **fields: Any) -> Any:
    return _keyed(kind, **_place(w), match_numbers=numbers, note="seen", **fields)


def _paged(message: Any, w: World, **fields: Any) -> Any:
    return message(**_place(w), page_size=10, **fields)


JULY = b"Date,Amount,Reference,Description\n2026-07-01,10.00,R-7,payment\n"
"""The file behind the right request of ImportStatement."""

Base = Callable[[World], Any]

REQUESTS: dict[str, dict[str, Base]] = {
    "CreateEntity": {"": _create_entity},
    "GetEntity": {"": lambda w: entities.GetEntityRequest(entity_id=w.entity)},
    "ListEntities": {"": lambda _: entities.ListEntitiesRequest(page_size=10)},
    "UpdateEntity": {"": _update_entity},
    "ArchiveEntity": {"": lambda w: _keyed(entities.ArchiveEntityRequest, entity_id=w.archivable)},
    "GetCheckpoint": {"": lambda w: entities.GetCheckpointRequest(entity_id=w.entity, at_sequence=9)},
    "GetConsistencyProof": {
        "": lambda w: entities.GetConsistencyProofRequest(entity_id=w.entity, from_sequence=2, to_sequence=9)
    },
    "CreateAccount": {"": _create_account},
    "BatchCreateAccounts": {"": _batch_create_accounts},
    "GetAccount": {"": lambda w: accounts.GetAccountRequest(entity_id=w.entity, account_id="cash")},
    "ListAccounts": {"": _list_accounts},
    "UpdateAccount": {"": _update_account},
    "FreezeAccount": {"": lambda w: _keyed(accounts.FreezeAccountRequest, entity_id=w.entity, account_id="freezable")},
    "UnfreezeAccount": {
        "": lambda w: _keyed(accounts.UnfreezeAccountRequest, entity_id=w.entity, account_id="freezable")
    },
    "CloseAccount": {"": lambda w: _keyed(accounts.CloseAccountRequest, entity_id=w.entity, account_id="closable")},
    "GetBalance": {"": _get_balance, "by_sequence": lambda w: _get_balance(w, by_time=False)},
    "BatchGetBalances": {
        "": _batch_get_balances,
        "by_sequence": lambda w: _batch_get_balances(w, by_time=False),
    },
    "ListEntries": {
        "": lambda w: accounts.ListEntriesRequest(entity_id=w.entity, account_id="cash", currency="USD", page_size=10)
    },
    "CreateTransaction": {"": create_transaction, "two_accounts": _two_accounts},
    "BatchCreateTransactions": {"": _batch, "two_accounts": lambda w: _batch(w, _two_accounts)},
    "StreamCreateTransactions": {"": _stream, "two_accounts": lambda w: _stream(w, _two_accounts)},
    "GetTransaction": {"": lambda w: transactions.GetTransactionRequest(entity_id=w.entity, transaction_id=w.posted)},
    "GetTransactionProof": {
        "": lambda w: transactions.GetTransactionProofRequest(
            entity_id=w.entity, transaction_id=w.posted, revision=1, at_sequence=20
        )
    },
    "LookUpTransaction": {
        "": lambda w: transactions.LookUpTransactionRequest(entity_id=w.entity, reference="order-1", page_size=10),
        "by_key": lambda w: transactions.LookUpTransactionRequest(
            entity_id=w.entity, idempotency_key="a key", page_size=10
        ),
    },
    "ListTransactions": {"": _list_transactions, "by_effective_time": _list_by_effective_time},
    "SearchTransactions": {"": _search},
    "ListCounterparties": {
        "": lambda w: transactions.ListCounterpartiesRequest(entity_id=w.entity, page_size=10),
    },
    "EditTransaction": {
        "": lambda w: _edit(w, account_ids=["cash", "other"]),
        "two_accounts": lambda w: _edit(w, debit_account_id="cash", credit_account_id="wallet"),
    },
    "ApproveTransactions": {"": _approve},
    "ClearTransaction": {
        "": lambda w: _keyed(transactions.ClearTransactionRequest, entity_id=w.entity, transaction_id=w.to_clear)
    },
    "VoidTransaction": {
        "": lambda w: _keyed(transactions.VoidTransactionRequest, entity_id=w.entity, transaction_id=w.to_void)
    },
    "ReverseTransaction": {
        "": lambda w: _reverse(w, amount=money("1.00")),
        "parts": lambda w: _reverse(w, parts=_parts()),
    },
    "CategorizeTransaction": {"": _categorize},
    "ListTransactionRevisions": {
        "": lambda w: transactions.ListTransactionRevisionsRequest(
            entity_id=w.entity, transaction_id=w.posted, page_size=10
        )
    },
    "AskTransactions": {
        "": lambda w: question_pb2.AskTransactionsRequest(
            entity_id=w.entity, question="How many transactions are there in 2023?"
        )
    },
    "WatchTransactions": {"": lambda w: transactions.WatchTransactionsRequest(entity_id=w.entity, after_sequence=1)},
    "CreateCategory": {"": _create_category},
    "GetCategory": {"": lambda w: categories.GetCategoryRequest(entity_id=w.entity, category_id=w.category)},
    "ListCategories": {"": lambda w: categories.ListCategoriesRequest(entity_id=w.entity, page_size=10)},
    "UpdateCategory": {"": _update_category},
    "ArchiveCategory": {
        "": lambda w: _keyed(categories.ArchiveCategoryRequest, entity_id=w.entity, category_id="archivable")
    },
    "StartReconciliation": {
        "": lambda w: _keyed(
            reconciliations.StartReconciliationRequest,
            **_place(w, "startable_bank"),
            date="2026-06-01",
            statement_balance="12.50",
            outstanding_transaction_ids=[w.outstanding],
        )
    },
    "GetReconciliationProfile": {"": lambda w: reconciliations.GetReconciliationProfileRequest(**_place(w))},
    "UpdateReconciliationProfile": {"": _update_profile},
    "ImportStatement": {"": _import_statement},
    "ListStatements": {"": lambda w: _paged(reconciliations.ListStatementsRequest, w)},
    "ListStatementLines": {
        "": lambda w: _paged(
            reconciliations.ListStatementLinesRequest, w, statement_number=1, state=matching.ITEM_STATE_OPEN
        )
    },
    "ListLedgerItems": {
        "": lambda w: _paged(reconciliations.ListLedgerItemsRequest, w, state=matching.ITEM_STATE_OPEN)
    },
    "RunMatching": {"": lambda w: _keyed(reconciliations.RunMatchingRequest, **_place(w))},
    "ListMatches": {
        "": lambda w: _paged(
            reconciliations.ListMatchesRequest,
            w,
            state=matching.MATCH_STATE_PROPOSED,
            rule=matching.MATCH_RULE_KIND_REFERENCE,
        )
    },
    "ListFindings": {
        "": lambda w: _paged(reconciliations.ListFindingsRequest, w, kind=matching.FINDING_KIND_MISSING_IN_LEDGER)
    },
    "CreateMatch": {"": _create_match, "write_off": _create_fee},
    "ConfirmMatches": {"": lambda w: _decide(reconciliations.ConfirmMatchesRequest, w, 2, with_write_offs=True)},
    "RejectMatches": {"": lambda w: _decide(reconciliations.RejectMatchesRequest, w, 3)},
    "UndoMatches": {"": lambda w: _decide(reconciliations.UndoMatchesRequest, w, 1)},
    "GetReconciliation": {
        "": lambda w: reconciliations.GetReconciliationRequest(**_place(w), date="2026-06-30", max_open_items=5)
    },
    "ExportReconciliation": {
        "": lambda w: reconciliations.ExportReconciliationRequest(
            **_place(w), date="2026-06-30", format=reconciliations.RECONCILIATION_FORMAT_CSV
        )
    },
    "ListReconciliations": {"": lambda w: _paged(reconciliations.ListReconciliationsRequest, w)},
    "CloseReconciliation": {
        "": lambda w: _keyed(
            reconciliations.CloseReconciliationRequest,
            **_place(w, "closable_bank"),
            date="2026-06-30",
            accept_differences=True,
            note="no statement came",
        )
    },
    "ReopenReconciliation": {
        "": lambda w: _keyed(
            reconciliations.ReopenReconciliationRequest,
            **_place(w, "reopenable_bank"),
            date="2026-06-30",
            note="a statement was missing",
        )
    },
}
"""Right requests of each method; where there are several forms, by name."""

HOMES = {
    "CreateTransactionRequest.debit_account_id": "two_accounts",
    "CreateTransactionRequest.credit_account_id": "two_accounts",
    "CreateTransactionRequest.amount": "two_accounts",
    "EditTransactionRequest.debit_account_id": "two_accounts",
    "EditTransactionRequest.credit_account_id": "two_accounts",
    "BalanceMoment.known_sequence": "by_sequence",
    "LookUpTransactionRequest.idempotency_key": "by_key",
    "ListTransactionsRequest.order": "by_effective_time",
    "ReverseTransactionRequest.parts": "parts",
    "CreateMatchRequest.write_off_account_id": "write_off",
    "CreateMatchRequest.write_off_description": "write_off",
}
"""In which form of its request a field belongs, where not in the first."""
