"""Handlers of /v1/accounts."""

from __future__ import annotations

from ledger_service.application.intake import chart, fields
from ledger_service.application.intake.fields import RawBankAccount, RawLimit
from ledger_service.application.ports import Moment
from ledger_service.domain.account import AccountState
from ledger_service.domain.commands import Command
from ledger_service.domain.errors import invalid
from ledger_service.gateway.endpoint import Answer, Call, Handler, Services
from ledger_service.gateway.outgoing import page
from ledger_service.gateway.transactions import entity_of_query


async def create(services: Services, call: Call) -> Answer:
    """POST /v1/accounts."""
    body = call.body
    command = chart.create_account(
        services.use_cases.currencies,
        call.principal.name,
        idempotency_key=call.key,
        fresh_id=services.use_cases.writes.fresh_account_id(),
        account_id=body.get("account_id", ""),
        type_=body["type_"],
        code=body.get("code", ""),
        name=body["name"],
        parent_id=body.get("parent_id", ""),
        contra=body.get("contra", False),
        currency_codes=body.get("currency_codes", ()),
        limits=_limits(body),
        metadata_object=body.get("metadata_object"),
        financial_type=body.get("financial_type", ""),
        sub_type_code=body.get("sub_type_code", ""),
        is_category=body.get("is_category", False),
        bank_account=_bank_account(body),
    )
    answer = await _write(services, call, "CreateAccount", command)
    return Answer(answer.body, 201, answer.replayed, f"/v1/accounts/{answer.body['account']['id']}")


async def get(services: Services, call: Call) -> Answer:
    """GET /v1/accounts/{accountId}."""
    entity_id = entity_of_query(call)
    account = await services.use_cases.reads.account(call.principal, entity_id, call.path["accountId"])
    return Answer({"account": services.out.account(entity_id, account)})


async def listing(services: Services, call: Call) -> Answer:
    """GET /v1/accounts."""
    entity_id, query = entity_of_query(call), call.query
    accounts, depths, token = await services.use_cases.reads.accounts(
        call.principal,
        entity_id,
        size=query.get("pageSize", 0),
        token=query.get("cursor", ""),
        parent_id=query.get("parentId", ""),
        type_=query.get("type", 0),
        code_prefix=query.get("codePrefix", ""),
        state=query.get("state", 0),
        tree=query.get("tree", False),
    )
    steps: list[int | None] = [*depths] or [None] * len(accounts)
    found = [services.out.account(entity_id, one, depth) for one, depth in zip(accounts, steps, strict=True)]
    return Answer(page("accounts", found, token))


async def update(services: Services, call: Call) -> Answer:
    """PATCH /v1/accounts/{accountId}: the members that are sent."""
    body = call.body
    command = chart.update_account(
        services.use_cases.currencies,
        call.principal.name,
        idempotency_key=call.key,
        account_id=call.path["accountId"],
        fields=[name for name in body if name != "expected_revision"],
        name=body.get("name", ""),
        code=body.get("code", ""),
        parent_id=body.get("parent_id", ""),
        currency_codes=body.get("currencies", ()),
        limits=_limits(body),
        metadata_object=body.get("metadata"),
        expected_revision=body.get("expected_revision", 0),
        financial_type=body.get("financial_type", ""),
        sub_type_code=body.get("sub_type_code", ""),
        is_category=body.get("is_category", False),
        bank_account=_bank_account(body),
    )
    return await _write(services, call, "UpdateAccount", command)


def set_state(method: str, state: AccountState) -> Handler:
    """POST /v1/accounts/{accountId}/freeze, unfreeze, close."""

    async def handle(services: Services, call: Call) -> Answer:
        command = chart.set_account_state(
            call.principal.name, idempotency_key=call.key, account_id=call.path["accountId"], state=state
        )
        return await _write(services, call, method, command)

    return handle


async def balance(services: Services, call: Call) -> Answer:
    """GET /v1/accounts/{accountId}/balance."""
    query = call.query
    if "knownAt" in query and "knownSequence" in query:
        raise invalid("knownSequence", "not together with knownAt; leave one of them out")
    [found] = await services.use_cases.reads.balances(
        call.principal,
        "GetBalance",
        entity_of_query(call),
        [call.path["accountId"]],
        currency=query.get("currency", ""),
        moment=Moment(query.get("at"), query.get("knownAt"), query.get("knownSequence")),
        subtree=query.get("includeSubtree", False),
    )
    return Answer({
        "accountId": found.account.account_id,
        "balances": [services.out.balance(one) for one in found.balances],
    })  # fmt: skip


async def entries(services: Services, call: Call) -> Answer:
    """GET /v1/accounts/{accountId}/entries."""
    query = call.query
    entity, account, found, token = await services.use_cases.reads.entries(
        call.principal,
        entity_of_query(call),
        call.path["accountId"],
        currency=query.get("currency", ""),
        size=query.get("pageSize", 0),
        token=query.get("cursor", ""),
        ascending=query.get("order") == "oldest",
    )
    return Answer(page("entries", [services.out.entry(entity, account, one) for one in found], token))


async def _write(services: Services, call: Call, method: str, command: Command) -> Answer:
    entity_id = fields.entity_id(call.entity_id(), "entityId")
    _, answer = await services.use_cases.writes.one(call.principal, method, entity_id, command)
    assert answer.account is not None
    return Answer({"account": services.out.account(entity_id, answer.account)}, replayed=answer.replayed)


def _bank_account(body: dict[str, dict[str, str] | None]) -> RawBankAccount | None:
    sent = body.get("bank_account")
    return None if sent is None else RawBankAccount(**sent)


def _limits(body: dict[str, list[dict[str, str | None]]]) -> list[RawLimit]:
    return [RawLimit(str(one["currency"]), one.get("floor"), one.get("ceiling")) for one in body.get("limits", ())]
