"""Handlers of /v1/transactions: convert, call one use case, convert."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from ledger_service.application.details import Details
from ledger_service.application.intake import fields, transactions
from ledger_service.application.intake.fields import RawMoney, RawPosting
from ledger_service.application.ports import StorageError
from ledger_service.application.reads import TransactionOrder
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import Command, CreateTransaction
from ledger_service.domain.decide import Applied
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.domain.transaction import Status, Transaction
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.errors import at_account
from ledger_service.gateway.outgoing import DEFAULT_CURRENCY, Json, page
from ledger_service.gateway.periods import first_moment, month_bounds

LISTED = (Status.PENDING, Status.CLEARED, Status.POSTED)
"""What lists show: a deleted or expired transaction is history."""

Body = dict[str, Any]

_APPROVAL = re.compile(r"approvals\[(\d+)\]", re.ASCII)


async def create(services: Services, call: Call) -> Answer:
    """POST /v1/transactions."""
    entity_id = entity_of_query(call)
    command = await new_transaction(
        services, call, "CreateTransaction", call.body, call.key, call.body.get("status", 0)
    )
    entity, answer = await _record(services, call, entity_id, command)
    return await _created(services, entity, answer)


async def listing(services: Services, call: Call) -> Answer:
    """GET /v1/transactions."""
    entity, found, token = await services.use_cases.reads.transactions(
        call.principal,
        entity_of_query(call),
        size=call.query.get("pageSize", 0),
        token=call.query.get("cursor", ""),
        statuses=LISTED,
        account_id="",
        effective_from=None,
        effective_before=None,
        ascending=False,
        order=TransactionOrder.EFFECTIVE,
    )
    return Answer(page("transactions", await whole(services, entity, found), token))


async def by_month(services: Services, call: Call) -> Answer:
    """GET /v1/transactions/by-month: months in the entity's time zone."""
    entity_id, reads = entity_of_query(call), services.use_cases.reads
    year, month = call.query["year"], call.query["month"]
    zone = await reads.time_zone(call.principal, "ListTransactions", entity_id)
    start, end = month_bounds(year, month, zone)
    entity, found, token = await reads.transactions(
        call.principal,
        entity_id,
        size=call.query.get("pageSize", 0),
        token=call.query.get("cursor", ""),
        statuses=LISTED,
        account_id="",
        effective_from=start,
        effective_before=end,
        ascending=False,
        order=TransactionOrder.EFFECTIVE,
    )
    summaries = [services.out.summary(entity, one) for one in found]
    return Answer({"month": month, "year": year, **page("transactions", summaries, token)})


async def get(services: Services, call: Call) -> Answer:
    """GET /v1/transactions/{transactionId}."""
    transaction_id = call.path["transactionId"]
    entity_id = await entity_of_transaction(services, call, "GetTransaction", transaction_id)
    entity, found = await services.use_cases.reads.transaction(call.principal, entity_id, transaction_id)
    [one] = await whole(services, entity, [found], with_revision=True)
    return Answer({"transaction": one})


async def revisions(services: Services, call: Call) -> Answer:
    """GET /v1/transactions/{transactionId}/revisions."""
    transaction_id = call.path["transactionId"]
    entity_id = await entity_of_transaction(services, call, "ListTransactionRevisions", transaction_id)
    entity, found, token = await services.use_cases.reads.revisions(
        call.principal, entity_id, transaction_id, call.query.get("pageSize", 0), call.query.get("cursor", "")
    )
    return Answer(page("revisions", await whole(services, entity, found, with_revision=True), token))


async def look_up(services: Services, call: Call) -> Answer:
    """GET /v1/transactions/lookup."""
    entity_id, reads, query = entity_of_query(call), services.use_cases.reads, call.query
    if ("idempotencyKey" in query) == ("reference" in query):
        raise invalid("idempotencyKey", "give either idempotencyKey or reference")
    if "reference" in query:
        entity, found, token = await reads.by_reference(
            call.principal, entity_id, query["reference"], query.get("pageSize", 0), query.get("cursor", "")
        )
        return Answer(page("transactions", await whole(services, entity, found), token))
    entity, use = await reads.by_key(call.principal, entity_id, query["idempotencyKey"])
    answer = page("transactions", await whole(services, entity, use.transactions), "")
    if use.refusal is not None:
        answer["refusal"] = services.tell(use.refusal)
    return Answer(answer)


async def edit(services: Services, call: Call) -> Answer:
    """POST /v1/transactions/edit."""
    body = call.body
    command = transactions.edit_transaction(
        call.principal.name,
        idempotency_key=call.key,
        transaction_id=body["transaction_id"],
        debit_account_id=body.get("debit_account_id", ""),
        credit_account_id=body.get("credit_account_id", ""),
        account_ids=(),
        description=body.get("description"),
        expected_revision=body.get("expected_revision", 0),
    )
    try:
        entity, answer = await _change(services, call, "EditTransaction", body["transaction_id"], command)
    except LedgerError as error:
        raise at_account(error, body) from error
    return Answer(services.out.edit(entity, answer.transactions[0]), replayed=answer.replayed)


async def approve(services: Services, call: Call) -> Answer:
    """PUT /v1/transactions/approve: any of the four forms."""
    sent = call.body if isinstance(call.body, list) else [call.body]
    ids = [one if isinstance(one, str) else one["id"] for one in sent]
    services.use_cases.admission.charge(call.principal, len(ids))
    try:
        command = transactions.approve_transactions(
            services.use_cases.currencies,
            call.principal.name,
            idempotency_key=call.key,
            approvals=[(one, None, 0) for one in ids],
        )
        entity, answer = await services.use_cases.writes.one(
            call.principal, "ApproveTransactions", entity_of_query(call), command
        )
    except LedgerError as error:
        raise _of_approval(error, call.body) from error
    return Answer(
        {
            "message": "Transactions approved successfully",
            "approvedTransactions": [services.out.change(entity, one) for one in answer.transactions],
        },
        replayed=answer.replayed,
    )


def _of_approval(error: LedgerError, body: object) -> LedgerError:
    """An error of one approval, told of its place in the form that was sent: `[1].id`, `[1]`, `id`, or the body."""
    field = error.metadata.get("field", "")
    named = _APPROVAL.match(field)
    index = named[1] if named is not None else error.metadata.get("failed_index")
    if index is None:
        return error
    one, place = (body[int(index)], f"[{index}]") if isinstance(body, list) else (body, "")
    place = (f"{place}.id".removeprefix(".") if isinstance(one, dict) else place) or "body"
    message = error.message.removeprefix(f"{field}: ")
    return LedgerError(error.reason, message, {**error.metadata, "field": place})


async def delete(services: Services, call: Call) -> Answer:
    """DELETE /v1/transactions."""
    command = transactions.void_transaction(
        call.principal.name,
        idempotency_key=call.key,
        transaction_id=call.query["transactionId"],
        expected_revision=0,
    )
    _, answer = await services.use_cases.writes.one(call.principal, "VoidTransaction", entity_of_query(call), command)
    return Answer({"message": "Transaction deleted successfully"}, replayed=answer.replayed)


async def clear(services: Services, call: Call) -> Answer:
    """POST /v1/transactions/clear."""
    command = transactions.clear_transaction(
        call.principal.name,
        idempotency_key=call.key,
        transaction_id=call.body["transaction_id"],
        expected_revision=call.body.get("expected_revision", 0),
    )
    entity, answer = await _change(services, call, "ClearTransaction", command.transaction_id, command)
    return await _changed(services, entity, answer)


async def post(services: Services, call: Call) -> Answer:
    """POST /v1/transactions/post: one that exists, or a new one."""
    body = call.body
    if "transaction_id" not in body:
        entity_id = fields.entity_id(call.entity_id(), "entityId")
        command = await new_transaction(services, call, "CreateTransaction", body, call.key, int(Status.POSTED))
        entity, answer = await _record(services, call, entity_id, command)
        return await _created(services, entity, answer)
    approval = transactions.approve_transactions(
        services.use_cases.currencies,
        call.principal.name,
        idempotency_key=call.key,
        approvals=[(body["transaction_id"], _money(body), body.get("expected_revision", 0))],
    )
    entity, answer = await _change(services, call, "ApproveTransactions", body["transaction_id"], approval)
    return await _changed(services, entity, answer)


async def reverse(services: Services, call: Call) -> Answer:
    """POST /v1/transactions/reverse."""
    body = call.body
    entity_id = await entity_of_transaction(services, call, "ReverseTransaction", body["transaction_id"])
    command = transactions.reverse_transaction(
        services.use_cases.currencies,
        call.principal.name,
        idempotency_key=call.key,
        transaction_id=body["transaction_id"],
        amount=_money(body),
        parts=[(part["postingIndex"], _money(part)) for part in body.get("parts", ())],
        effective_time=await _moment(services, call, "ReverseTransaction", entity_id, body.get("date")),
        description=body.get("description", ""),
        reference=body.get("reference", ""),
        metadata_object=body.get("metadata_object"),
    )
    entity, answer = await services.use_cases.writes.one(call.principal, "ReverseTransaction", entity_id, command)
    return await _created(services, entity, answer)


async def categorize(services: Services, call: Call) -> Answer:
    """POST /v1/transactions/categorize."""
    command = transactions.categorize_transaction(
        call.principal.name,
        idempotency_key=call.key,
        transaction_id=call.body["transaction_id"],
        category_id=call.body["category_id"],
        expected_revision=call.body.get("expected_revision", 0),
    )
    entity, answer = await services.use_cases.writes.one(
        call.principal, "CategorizeTransaction", entity_of_query(call), command
    )
    details = await details_of_written(services, entity, answer.transactions)
    return Answer(
        {
            "message": "Transaction categorized successfully",
            "transaction": services.out.categorized(entity, answer.transactions[0], details),
        },
        replayed=answer.replayed,
    )


def entity_of_query(call: Call) -> str:
    """The entity that the query names; it is required there. Raises LedgerError INVALID_ARGUMENT."""
    return fields.entity_id(call.entity_id(), "entityId")


async def new_transaction(
    services: Services, call: Call, method: str, body: Body, key: str, status: int
) -> CreateTransaction:
    """The command of a body. Raises LedgerError INVALID_ARGUMENT and its kin."""
    moment = await _moment(services, call, method, call.entity_id(), body.get("date"))
    return transaction_command(services, call, body, key, status, moment)


def transaction_command(
    services: Services, call: Call, body: Body, key: str, status: int, moment: datetime | None
) -> CreateTransaction:
    """The same, its time known already."""
    currency = body.get("currency", DEFAULT_CURRENCY)
    postings = body.get("postings")
    if postings is None and "amount" not in body:
        raise invalid("amount", "is required (or give postings)")
    return transactions.create_transaction(
        services.use_cases.currencies,
        call.principal.name,
        idempotency_key=key,
        postings=[_posting(posting, currency) for posting in postings or ()],
        debit_account_id=body.get("debit_account_id", ""),
        credit_account_id=body.get("credit_account_id", ""),
        amount=RawMoney(currency, body["amount"]) if "amount" in body else None,
        status=status,
        effective_time=moment,
        expire_time=body.get("expire_time"),
        description=body.get("description", ""),
        reference=body.get("reference", ""),
        counterparty=body.get("counterparty", ""),
        category_id=body.get("category_id", ""),
        metadata_object=body.get("metadata_object"),
    )


async def whole(
    services: Services, entity: Entity, found: Sequence[Transaction], *, with_revision: bool = False
) -> list[Json]:
    """The whole objects of transactions."""
    details = await services.use_cases.describer.details(entity, found)
    return [services.out.transaction(entity, one, details, with_revision=with_revision) for one in found]


async def details_of_written(services: Services, entity: Entity, written: Sequence[Transaction]) -> Details:
    """What the answer to a write needs. Raises LedgerError OUTCOME_UNKNOWN: it is recorded all the same."""
    try:
        return await services.use_cases.describer.details(entity, written)
    except StorageError:
        raise LedgerError(
            Reason.OUTCOME_UNKNOWN,
            "the database stopped answering before the answer was put together; send the same request with the "
            "same Idempotency-Key again to learn what became of it",
        ) from None


async def _record(services: Services, call: Call, entity_id: str, command: CreateTransaction) -> tuple[Entity, Applied]:
    try:
        return await services.use_cases.writes.one(call.principal, "CreateTransaction", entity_id, command)
    except LedgerError as error:
        raise at_account(error, call.body) from error


async def _created(services: Services, entity: Entity, answer: Applied) -> Answer:
    details = await details_of_written(services, entity, answer.transactions)
    one = services.out.transaction(entity, answer.transactions[0], details)
    return Answer({"transaction": one}, 201, answer.replayed, f"/v1/transactions/{one['id']}")


async def _changed(services: Services, entity: Entity, answer: Applied) -> Answer:
    details = await details_of_written(services, entity, answer.transactions)
    return Answer(
        {"transaction": services.out.transaction(entity, answer.transactions[0], details)}, replayed=answer.replayed
    )


async def _change(
    services: Services, call: Call, method: str, transaction_id: str, command: Command
) -> tuple[Entity, Applied]:
    entity_id = await entity_of_transaction(services, call, method, transaction_id)
    return await services.use_cases.writes.one(call.principal, method, entity_id, command)


async def entity_of_transaction(services: Services, call: Call, method: str, transaction_id: str) -> str:
    """The entity that the query names, or else the one that the transaction's id tells."""
    return call.entity_id() or await services.use_cases.reads.entity_of(call.principal, method, transaction_id)


async def _moment(
    services: Services, call: Call, method: str, entity_id: str, when: datetime | date | None
) -> datetime | None:
    """When it happened: a date alone is its first moment in the entity's time zone."""
    if when is None or isinstance(when, datetime):
        return when
    zone = await services.use_cases.reads.time_zone(call.principal, method, fields.entity_id(entity_id, "entityId"))
    return first_moment(when, zone)


def _money(body: Body) -> RawMoney | None:
    if "amount" not in body:
        if "currency" in body:
            raise invalid("currency", "belongs to an amount; give that too")
        return None
    return RawMoney(body.get("currency", DEFAULT_CURRENCY), body["amount"])


def _posting(posting: Body, currency: str) -> RawPosting:
    return RawPosting(
        posting["accountId"], posting["side"], RawMoney(posting.get("currency", currency), posting["amount"])
    )
