"""Idempotency keys for requests that come without one.

A request that is sent twice must be the same request to the ledger. So before its *first* attempt the client
gives it a key, on a copy: the caller's own message stays as it is, and calling again with it means something
new.
"""

from __future__ import annotations

import copy
import uuid
from typing import Protocol, TypeVar

from ledger.v1.account_service_pb2 import BatchCreateAccountsRequest, CreateAccountRequest
from ledger.v1.category_service_pb2 import CreateCategoryRequest
from ledger.v1.entity_service_pb2 import CreateEntityRequest
from ledger.v1.transaction_service_pb2 import BatchCreateTransactionsRequest


class _Keyed(Protocol):
    idempotency_key: str


_KeyedT = TypeVar("_KeyedT", bound=_Keyed)


def new_key() -> str:
    """A key that nobody has used: a random UUID (version 4) as text."""
    return str(uuid.uuid4())


def with_key(request: _KeyedT) -> _KeyedT:
    """The request with an idempotency key."""
    if request.idempotency_key:
        return request
    request = copy.deepcopy(request)
    request.idempotency_key = new_key()
    return request


def with_keys(request: BatchCreateTransactionsRequest) -> BatchCreateTransactionsRequest:
    """The batch with an idempotency key in each item."""
    if all(item.idempotency_key for item in request.requests):
        return request
    request = copy.deepcopy(request)
    for item in request.requests:
        item.idempotency_key = item.idempotency_key or new_key()
    return request


def with_account_key(request: CreateAccountRequest) -> CreateAccountRequest:
    """The request with an idempotency key, unless it names the account: the name takes the key's place."""
    return request if request.account_id else with_key(request)


def with_category_key(request: CreateCategoryRequest) -> CreateCategoryRequest:
    """The request with an idempotency key, unless it names the category: the name takes the key's place."""
    return request if request.category_id else with_key(request)


def with_account_keys(request: BatchCreateAccountsRequest) -> BatchCreateAccountsRequest:
    """The batch with a key in each item that does not name its account."""
    if all(item.account_id or item.idempotency_key for item in request.requests):
        return request
    request = copy.deepcopy(request)
    for item in request.requests:
        if not item.account_id:
            item.idempotency_key = item.idempotency_key or new_key()
    return request


def with_entity_id(request: CreateEntityRequest) -> CreateEntityRequest:
    """The request with an entity id. It has no key: only an id of the caller's makes it safe to repeat."""
    if request.entity_id:
        return request
    request = copy.deepcopy(request)
    request.entity_id = f"entity_{uuid.uuid4().hex}"
    return request
