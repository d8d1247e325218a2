"""The endpoints of /v1/accounts."""

from __future__ import annotations

from decimal import Decimal

from ledger_service.domain.account import AccountState, AccountType
from ledger_service.domain.errors import Reason
from ledger_service.gateway import accounts, bodies
from ledger_service.gateway.endpoint import Body, Endpoint, Good, Parameter
from ledger_service.gateway.parameters import ACCOUNT_IN_PATH, ENTITY, PAGING
from ledger_service.gateway.schemas import (
    ACCOUNT,
    BALANCE,
    ENTRY,
    EXAMPLE_ACCOUNT,
    EXAMPLE_BALANCE,
    MAX_INT64,
    always,
    page_example,
    page_of,
    wrapped,
)
from ledger_service.gateway.shapes import Boolean, Choice, Integer, ListOf, Object, Text
from ledger_service.gateway.times import Time

_TAG = "Accounts"
_ONE = wrapped("account", ACCOUNT, "The account.")
_ONE_EXAMPLE = {"account": EXAMPLE_ACCOUNT}
_READ = (Reason.ENTITY_NOT_FOUND, Reason.ACCOUNT_NOT_FOUND)
_WRITE = (*_READ, Reason.ENTITY_ARCHIVED, Reason.IDEMPOTENCY_KEY_REUSED)
_CURRENCY = Parameter("currency", Text(), "Only this currency.", "USD")
_TYPES = Choice(tuple(kind.name for kind in AccountType), {kind.name: int(kind) for kind in AccountType})
_STATES = Choice(tuple(state.name for state in AccountState), {state.name: int(state) for state in AccountState})
_BALANCES = Object((
    always("accountId", Text(), "The account."),
    always("balances", ListOf(BALANCE), "One for each currency in which it has entries."),
))  # fmt: skip


def _state_endpoint(verb: str, method: str, state: AccountState, summary: str, *reasons: Reason) -> Endpoint:
    return Endpoint(
        "POST", f"/v1/accounts/{{accountId}}/{verb}", method, _TAG, summary, accounts.set_state(method, state),
        Good(200, "The account as it is now.", _ONE, {"account": {**EXAMPLE_ACCOUNT, "state": state.name}}),
        parameters=(ENTITY, ACCOUNT_IN_PATH),
        reasons=(*_WRITE, Reason.ACCOUNT_CLOSED, *reasons),
        is_write=True,
    )  # fmt: skip


ACCOUNTS = (
    Endpoint(
        "POST", "/v1/accounts", "CreateAccount", _TAG, "Create an account", accounts.create,
        Good(201, "The account.", _ONE, _ONE_EXAMPLE),
        parameters=(ENTITY,),
        body=Body(
            bodies.CREATE_ACCOUNT,
            {
                "expense": {"id": "acc_office_supplies", "name": "Office Supplies", "type": "EXPENSE", "code": "5001"},
                "wallet": {
                    "name": "Wallet of Ann",
                    "type": "LIABILITY",
                    "limits": [{"currency": "USD", "floor": Decimal("0.00")}],
                },
            },
        ),
        reasons=(
            *_WRITE, Reason.ACCOUNT_ALREADY_EXISTS, Reason.ACCOUNT_CODE_TAKEN, Reason.UNKNOWN_CURRENCY,
            Reason.INVALID_PARENT,
        ),
        is_write=True,
        fields={"account_id": "id"},
    ),
    Endpoint(
        "GET", "/v1/accounts", "ListAccounts", _TAG, "List accounts, by code or as a tree", accounts.listing,
        Good(200, "A page.", page_of("accounts", ACCOUNT), page_example("accounts", EXAMPLE_ACCOUNT)),
        parameters=(
            ENTITY, *PAGING,
            Parameter("parentId", Text(64, 1), "Only those below this account.", "acc_expenses"),
            Parameter("type", _TYPES, "Only of this type.", "EXPENSE"),
            Parameter("codePrefix", Text(), "Only with a code that begins so.", "50"),
            Parameter("state", _STATES, "Only in this state.", "OPEN"),
            Parameter("tree", Boolean(), "In the order of the tree, each with its `depth`.", "true", default=False),
        ),
        reasons=(*_READ, Reason.INVALID_PAGE_TOKEN),
    ),
    Endpoint(
        "GET", "/v1/accounts/{accountId}", "GetAccount", _TAG, "Read an account", accounts.get,
        Good(200, "The account.", _ONE, _ONE_EXAMPLE),
        parameters=(ENTITY, ACCOUNT_IN_PATH),
        reasons=_READ,
    ),
    Endpoint(
        "PATCH", "/v1/accounts/{accountId}", "UpdateAccount", _TAG, "Change an account", accounts.update,
        Good(200, "The account as it is now.", _ONE, _ONE_EXAMPLE),
        "Only the members that are sent are changed; null clears one.",
        parameters=(ENTITY, ACCOUNT_IN_PATH),
        body=Body(bodies.UPDATE_ACCOUNT, {"rename": {"name": "Office Supplies and Paper", "code": None}}),
        reasons=(
            *_WRITE, Reason.ACCOUNT_CLOSED, Reason.ACCOUNT_CODE_TAKEN, Reason.UNKNOWN_CURRENCY, Reason.INVALID_PARENT,
            Reason.LIMIT_ALREADY_BROKEN, Reason.REVISION_MISMATCH,
        ),
        is_write=True,
    ),
    Endpoint(
        "GET", "/v1/accounts/{accountId}/balance", "GetBalance", _TAG,
        "Read a balance: now, at a time, as known at a time, with the subtree", accounts.balance,
        Good(
            200, "The balances.", _BALANCES,
            {"accountId": "acc_office_supplies", "balances": [EXAMPLE_BALANCE]},
        ),
        parameters=(
            ENTITY, ACCOUNT_IN_PATH, _CURRENCY,
            Parameter("at", Time(), "What was effective at this time.", "2023-05-31T22:00:00Z"),
            Parameter("knownAt", Time(), "As the ledger had it recorded at this time.", "2023-06-02T08:00:00Z"),
            Parameter("knownSequence", Integer(1, MAX_INT64), "As recorded up to this sequence of the entity.", 7),
            Parameter("includeSubtree", Boolean(), "With all accounts below it.", "true", default=False),
        ),
        reasons=(*_READ, Reason.UNKNOWN_CURRENCY),
        fields={"moment.known_sequence": "knownSequence"},
    ),
    Endpoint(
        "GET", "/v1/accounts/{accountId}/entries", "ListEntries", _TAG, "List the entries of an account",
        accounts.entries,
        Good(200, "A page.", page_of("entries", ENTRY), page_example("entries", ENTRY.example)),
        parameters=(
            ENTITY, ACCOUNT_IN_PATH, *PAGING,
            Parameter("currency", Text(), "Required if the account has entries in several.", "USD"),
            Parameter("order", Choice(("newest", "oldest")), "Which first.", "oldest", default="newest"),
        ),
        reasons=(*_READ, Reason.UNKNOWN_CURRENCY, Reason.INVALID_PAGE_TOKEN),
    ),
    _state_endpoint(
        "freeze", "FreezeAccount", AccountState.FROZEN, "Let an account take no new postings",
    ),
    _state_endpoint("unfreeze", "UnfreezeAccount", AccountState.OPEN, "Let it take postings again"),
    _state_endpoint(
        "close", "CloseAccount", AccountState.CLOSED, "End an account at balance zero", Reason.ACCOUNT_NOT_EMPTY
    ),
)  # fmt: skip
