"""A right request for every endpoint of the REST gateway, in the small world of tests/contract/requests.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ledger_service.application.access import SCOPES, Scope
from ledger_service.gateway.table import ENDPOINTS
from tests.contract.requests import JULY, World

if TYPE_CHECKING:
    from tests.helpers.rest import Reply, Rest

BY_NAME = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in ENDPOINTS}
"""Every endpoint: "POST /v1/accounts"."""

_KIND_OF = {
    "entityId": "entity",
    "accountId": "account",
    "debitAccountId": "account",
    "debit_account_id": "account",
    "transactionId": "transaction",
    "transactionIds": "transaction",
    "outstandingTransactionIds": "transaction",
    "categoryId": "category",
    "cursor": "cursor",
}
"""What the ids of a request are ids of, by the names of its members and parameters; of two accounts the debited one."""


@dataclass(frozen=True)
class Request:
    """One request of an endpoint; `path` and `query` are its parameters."""

    endpoint: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    path: dict[str, str] = field(default_factory=dict)
    file: bytes | None = None
    """What is sent as the file of a form, instead of a body."""
    also_needs: frozenset[Scope] = frozenset()
    """Scopes beyond the one that the endpoint's use case names."""

    @property
    def needs(self) -> frozenset[str]:
        """The scopes that a credential must have, worked out from the one table."""
        return frozenset(scope.value for scope in {SCOPES[BY_NAME[self.endpoint].use_case], *self.also_needs})

    @property
    def names_entity(self) -> bool:
        """Whether it says what entity it is about, so that a credential without its grant can be refused."""
        creates = self.endpoint == "POST /v1/entities"
        return creates or "entityId" in self.query or "entityId" in self.path

    def kinds(self) -> set[str]:
        """Of what it names ids: entity, account, transaction, category, cursor."""
        found: set[str] = set()
        self._map_ids(lambda kind, value: (found.add(kind), value)[1])  # type: ignore[func-returns-value]
        return found

    def with_ids(self, kind: str, value: str) -> Request:
        """The same with another id wherever it names one of this kind."""
        return self._map_ids(lambda found, old: value if found == kind else old)

    async def send(self, rest: Rest, **headers: str) -> Reply:
        """Send it."""
        method, path = self.endpoint.split(" ")
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if self.query:
            path += "?" + urlencode(self.query)
        if self.file is not None:
            kind = f"multipart/form-data; boundary={BOUNDARY}"
            return await rest.send(method, path, form(self.file), content_type=kind, **headers)
        body = None if self.body is None else json.dumps(self.body).encode()
        return await rest.send(method, path, body, **headers)

    def _map_ids(self, change: Callable[[str, str], str]) -> Request:
        of_id = "transaction" if self.endpoint.endswith(("/edit", "/approve")) else ""

        def walk(name: str, value: Any) -> Any:
            if isinstance(value, dict):
                return {inner: walk(inner, one) for inner, one in value.items()}
            if isinstance(value, list):
                return [walk(name, one) for one in value]
            kind = of_id if name == "id" else _KIND_OF.get(name, "")
            return change(kind, value) if kind else value

        # The forms of an approval that are ids alone stand for the member `id`.
        return replace(self, query=walk("", self.query), path=walk("", self.path), body=walk("id", self.body))


BOUNDARY = "a-boundary"
"""What stands between the parts of the forms here."""


def form(file: bytes, name: str = "july.csv", **fields: str) -> bytes:
    """A form with a file, as browsers send it."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
             for key, value in fields.items()]  # fmt: skip
    parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n')
    return "".join(parts).encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()


Build = Callable[[World], Request]


def _of(endpoint: str, body: Any = None, **query: Any) -> Build:
    """A request in the world's entity; callables in it are given the world."""
    return lambda world: Request(endpoint, {"entityId": world.entity, **_made(query, world)}, _made(body, world))


def _by_id(endpoint: str, body: Any = None, **path: Any) -> Build:
    """A request that leaves the entity to the transaction's id, or names it in its path."""
    return lambda world: Request(endpoint, {}, _made(body, world), _made(path, world))


def _at(endpoint: str, body: Any = None, **path: Any) -> Build:
    """A request in the world's entity, of one thing that the path names."""
    return lambda world: Request(endpoint, {"entityId": world.entity}, _made(body, world), _made(path, world))


def _made(value: Any, world: World) -> Any:
    if isinstance(value, dict):
        return {name: _made(one, world) for name, one in value.items()}
    if isinstance(value, list):
        return [_made(one, world) for one in value]
    return value(world) if callable(value) else value


def _on(account: str, endpoint: str, body: Any = None, *, file: bytes | None = None, **query: Any) -> Build:
    """A request about the reconciliation of an account."""
    return lambda world: Request(
        f"{endpoint.partition(' ')[0]} {_REC}{endpoint.partition(' ')[2]}",
        {"entityId": world.entity, "accountId": account, "currency": "USD", **_made(query, world)},
        _made(body, world),
        file=file,
    )


def _with_scope(build: Build, scope: Scope) -> Build:
    return lambda world: replace(build(world), also_needs=frozenset({scope}))


NEW = {"amount": "10.00", "debitAccountId": "cash", "creditAccountId": "wallet", "description": "Rent"}
_TXN = "/v1/transactions"
_REC = "/v1/reconciliations"

REQUESTS: dict[str, dict[str, Build]] = {
    f"POST {_TXN}": {"": _of(f"POST {_TXN}", NEW), "of a day": _of(f"POST {_TXN}", {**NEW, "date": "2023-05-15"})},
    f"GET {_TXN}": {"": _of(f"GET {_TXN}", pageSize=2)},
    f"POST {_TXN}/edit": {
        "": _by_id(f"POST {_TXN}/edit", {"id": lambda w: w.to_edit, "description": "New"}),
        "in an entity": _of(f"POST {_TXN}/edit", {"id": lambda w: w.to_edit, "debit_account_id": "child"}),
    },
    f"PUT {_TXN}/approve": {
        "": _of(f"PUT {_TXN}/approve", lambda w: w.to_approve[0]),
        "objects": _of(f"PUT {_TXN}/approve", [{"id": lambda w: w.to_approve[1]}]),
    },
    f"DELETE {_TXN}": {"": _of(f"DELETE {_TXN}", transactionId=lambda w: w.to_void)},
    f"GET {_TXN}/by-month": {"": _of(f"GET {_TXN}/by-month", month=5, year=2023)},
    f"POST {_TXN}/bulk": {
        "": _of(f"POST {_TXN}/bulk", {"transactions": [NEW, {**NEW, "amount": 7}]}),
        "all or none": _of(f"POST {_TXN}/bulk", {"transactions": [NEW], "atomic": True}),
        "final": _with_scope(
            _of(f"POST {_TXN}/bulk", {"transactions": [{**NEW, "status": "POSTED"}], "atomic": True}), Scope.APPROVE
        ),
    },
    f"POST {_TXN}/clear": {"": _by_id(f"POST {_TXN}/clear", {"transactionId": lambda w: w.to_clear})},
    f"POST {_TXN}/post": {
        "": _by_id(f"POST {_TXN}/post", {"transactionId": lambda w: w.pending}),
        "new": _with_scope(_of(f"POST {_TXN}/post", NEW), Scope.WRITE),
    },
    f"POST {_TXN}/reverse": {
        "": _by_id(f"POST {_TXN}/reverse", {"transactionId": lambda w: w.posted, "amount": "1.00"}),
        "of a day": _of(f"POST {_TXN}/reverse", {"transactionId": lambda w: w.three_legs, "date": "2099-01-01"}),
    },
    f"GET {_TXN}/lookup": {
        "": _of(f"GET {_TXN}/lookup", reference="order-1"),
        "by key": _of(f"GET {_TXN}/lookup", idempotencyKey="a key"),
    },
    f"GET {_TXN}/{{transactionId}}": {
        "": _by_id(f"GET {_TXN}/{{transactionId}}", transactionId=lambda w: w.posted),
        "in an entity": _at(f"GET {_TXN}/{{transactionId}}", transactionId=lambda w: w.posted),
    },
    f"GET {_TXN}/{{transactionId}}/proof": {
        "": _by_id(f"GET {_TXN}/{{transactionId}}/proof", transactionId=lambda w: w.posted),
        "in an entity": _at(f"GET {_TXN}/{{transactionId}}/proof", transactionId=lambda w: w.posted),
    },
    f"GET {_TXN}/{{transactionId}}/revisions": {
        "": _by_id(f"GET {_TXN}/{{transactionId}}/revisions", transactionId=lambda w: w.posted),
        "in an entity": _at(f"GET {_TXN}/{{transactionId}}/revisions", transactionId=lambda w: w.posted),
    },
    f"POST {_TXN}/categorize": {
        "": _of(f"POST {_TXN}/categorize", {"transactionId": lambda w: w.to_categorize, "categoryId": "rent"}),
    },
    f"POST {_TXN}/search": {
        "": _of(f"POST {_TXN}/search", {"query": "rent", "filters": {"dateFrom": "2023-01-01"}}),
        "of all": _of(f"POST {_TXN}/search", {}),
    },
    f"GET {_TXN}/counterparties": {"": _of(f"GET {_TXN}/counterparties")},
    f"GET {_TXN}/chat": {"": _of(f"GET {_TXN}/chat", prompt="How much did we spend in May 2023?")},
    "POST /v1/accounts": {"": _of("POST /v1/accounts", {"id": "acc_of_rest", "name": "Of REST", "type": "ASSET"})},
    "GET /v1/accounts": {
        "": _of("GET /v1/accounts", pageSize=2),
        "next page": _of("GET /v1/accounts", pageSize=2, cursor=lambda w: w.page_token),
    },
    "GET /v1/accounts/{accountId}": {"": _at("GET /v1/accounts/{accountId}", accountId="cash")},
    "PATCH /v1/accounts/{accountId}": {"": _at("PATCH /v1/accounts/{accountId}", {"name": "New"}, accountId="other")},
    "GET /v1/accounts/{accountId}/balance": {"": _at("GET /v1/accounts/{accountId}/balance", accountId="cash")},
    "GET /v1/accounts/{accountId}/entries": {"": _at("GET /v1/accounts/{accountId}/entries", accountId="cash")},
    "POST /v1/accounts/{accountId}/freeze": {
        "": _at("POST /v1/accounts/{accountId}/freeze", accountId="freezable")},
    "POST /v1/accounts/{accountId}/unfreeze": {
        "": _at("POST /v1/accounts/{accountId}/unfreeze", accountId="freezable")},
    "POST /v1/accounts/{accountId}/close": {"": _at("POST /v1/accounts/{accountId}/close", accountId="closable")},
    "POST /v1/categories": {"": _of("POST /v1/categories", {"id": "cat_of_rest", "name": "Of REST"})},
    "GET /v1/categories": {"": _of("GET /v1/categories", pageSize=2)},
    "GET /v1/categories/{categoryId}": {"": _at("GET /v1/categories/{categoryId}", categoryId="rent")},
    "PATCH /v1/categories/{categoryId}": {
        "": _at("PATCH /v1/categories/{categoryId}", {"name": "New"}, categoryId="changeable")},
    "POST /v1/categories/{categoryId}/archive": {
        "": _at("POST /v1/categories/{categoryId}/archive", categoryId="archivable")},
    f"GET {_REC}": {
        "": _of(f"GET {_REC}", pageSize=2),
        "of an account": _on("bank", "GET ", pageSize=2),
    },
    f"POST {_REC}/start": {
        "": _on("startable_bank", "POST /start", {
            "date": "2026-06-01", "statementBalance": 12.5, "outstandingTransactionIds": [lambda w: w.outstanding],
        }),
    },
    f"GET {_REC}/profile": {"": _on("bank", "GET /profile")},
    f"PATCH {_REC}/profile": {
        "": _on("bank", "PATCH /profile", {
            "rules": [{"kind": "REFERENCE"}],
            "charges": [{"name": "fees", "pattern": "fee*", "accountId": "other", "description": "Bank fee"}],
            "differenceAccountId": None,
        }),
    },
    f"POST {_REC}/statements": {"": _on("bank", "POST /statements", file=JULY)},
    f"GET {_REC}/statements": {"": _on("bank", "GET /statements", pageSize=2)},
    f"GET {_REC}/lines": {"": _on("bank", "GET /lines", statementNumber=1, state="OPEN", pageSize=2)},
    f"GET {_REC}/items": {"": _on("bank", "GET /items", state="OPEN", pageSize=2)},
    f"POST {_REC}/run": {"": _on("bank", "POST /run")},
    f"GET {_REC}/matches": {"": _on("bank", "GET /matches", state="PROPOSED", rule="REFERENCE", pageSize=2)},
    f"POST {_REC}/matches": {
        "": _on("bank", "POST /matches", {"lineNumbers": [7], "transactionIds": [lambda w: w.open_transaction]}),
        "a fee": _on("bank", "POST /matches", {
            "lineNumbers": [8], "writeOffAccountId": "other", "writeOffDescription": "Bank fee",
        }),
    },
    f"POST {_REC}/matches/confirm": {"": _on("bank", "POST /matches/confirm", {"matchNumbers": [2]})},
    f"POST {_REC}/matches/reject": {"": _on("bank", "POST /matches/reject", {"matchNumbers": [3], "note": "no"})},
    f"POST {_REC}/matches/undo": {"": _on("bank", "POST /matches/undo", {"matchNumbers": [1]})},
    f"GET {_REC}/findings": {"": _on("bank", "GET /findings", kind="MISSING_IN_LEDGER", pageSize=2)},
    f"GET {_REC}/report": {"": _on("bank", "GET /report", date="2026-06-30", maxOpenItems=5)},
    f"GET {_REC}/export": {
        "": _on("bank", "GET /export", format="csv"),
        "page": _on("bank", "GET /export", format="html", date="2026-06-30"),
    },
    f"POST {_REC}/close": {
        "": _on("closable_bank", "POST /close", {"date": "2026-06-30", "acceptDifferences": True}),
    },
    f"POST {_REC}/reopen": {"": _on("reopenable_bank", "POST /reopen", {"date": "2026-06-30"})},
    "POST /v1/entities": {"": _by_id("POST /v1/entities", {"id": "to-be", "name": "To be"})},
    "GET /v1/entities": {"": _by_id("GET /v1/entities")},
    "GET /v1/entities/{entityId}": {"": _by_id("GET /v1/entities/{entityId}", entityId=lambda w: w.entity)},
    "GET /v1/entities/{entityId}/checkpoint": {
        "": _by_id("GET /v1/entities/{entityId}/checkpoint", entityId=lambda w: w.entity)},
    "GET /v1/entities/{entityId}/consistency-proof": {
        "": lambda w: Request(
            "GET /v1/entities/{entityId}/consistency-proof", {"fromSequence": 2}, path={"entityId": w.entity})},
    "PATCH /v1/entities/{entityId}": {
        "": _by_id("PATCH /v1/entities/{entityId}", {"name": "New"}, entityId=lambda w: w.entity)},
    "POST /v1/entities/{entityId}/archive": {
        "": _by_id("POST /v1/entities/{entityId}/archive", entityId=lambda w: w.archivable)},
}  # fmt: skip
"""By endpoint and form ("" is the usual one)."""


def all_requests(world: World) -> dict[str, Request]:
    """Every form of every endpoint, by a name for messages."""
    return {
        f"{endpoint} {form}".strip(): build(world)
        for endpoint, forms in REQUESTS.items()
        for form, build in forms.items()
    }
