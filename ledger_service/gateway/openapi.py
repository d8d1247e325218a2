"""The OpenAPI 3.1 document, made from the table of endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ledger_service import __version__
from ledger_service.application.access import SCOPES
from ledger_service.domain.errors import Reason
from ledger_service.gateway.endpoint import Endpoint, Form, Good, Parameter
from ledger_service.gateway.error_examples import error_example
from ledger_service.gateway.errors import HTTP_CODES, TOLD, HttpError, error_object
from ledger_service.gateway.schemas import ERROR_BODY
from ledger_service.gateway.shapes import ListOf, Member, Object, OneOf, OrNull, Shape

Json = dict[str, Any]

_EVERY_CALL = (
    Reason.INVALID_ARGUMENT,
    Reason.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED,
    Reason.RATE_LIMITED,
    Reason.AUTHENTICATION_UNAVAILABLE,
    Reason.DATABASE_UNAVAILABLE,
    Reason.INTERNAL,
)
_EVERY_WRITE = (Reason.QUEUE_FULL, Reason.DRAINING, Reason.OUTCOME_UNKNOWN)
_WITH_BODY = ("request_timeout", "body_too_large", "unsupported_media_type")
_ANYWHERE = ("headers_too_large", "overloaded")

_DESCRIPTION = """
A double-entry ledger over HTTP: record, read and manage financial transactions.

**Amounts** are JSON numbers with the decimals of their currency (`250.00`), exact to 38 digits; in requests strings
(`"250.00"`) are taken as well. **Times** are RFC 3339 in UTC.

**Every write is safe to send again.** Give an `Idempotency-Key` of your own: the same key with the same request
answers what it answered first, with `Idempotent-Replayed: true`, and counts once. Without one the gateway makes a
key and returns it.

**Errors** are `{"error": {"code", "message", "field", "details"}}`. 400: the request is malformed. 409: the present
state of the ledger refuses it. 429: nothing was done, try again later. 503: send the same request with the same key
again. Unknown members, parameters and misspelt idempotency headers are refused by name, never ignored.
""".strip()

_KEY_HEADER: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Your name for this write: the same key means the same write, once. By default a fresh one.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "example": "rent-2023-05",
}
_ANSWER_HEADERS: Json = {
    "X-Request-Id": {"description": "The request's, or a fresh one.", "schema": {"type": "string"}},
}
_WRITE_HEADERS: Json = {
    "Idempotency-Key": {"description": "The key of this write.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "Whether this is the answer of an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
}


def document(endpoints: tuple[Endpoint, ...]) -> Json:
    """The whole document."""
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ledger", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {
            "schemas": _components(endpoints),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`Authorization: Bearer …`: the administrator's token, or one made with "
                    "`ledger-service token create`.",
                }
            },
        },
    }


def statuses(endpoint: Endpoint) -> list[int]:
    """Every status that an endpoint can answer with."""
    good = [one.status for one in (endpoint.good, *endpoint.also)]
    return sorted({*good, *_errors(endpoint)})


def _operation(endpoint: Endpoint) -> Json:
    scope = SCOPES[endpoint.use_case].value
    operation: Json = {
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": f"{endpoint.description}\n\nNeeds the scope `{scope}`.".strip(),
        "parameters": [_parameter(one) for one in endpoint.parameters],
    }
    if endpoint.is_write:
        operation["parameters"].append(_KEY_HEADER)
    if endpoint.body is not None:
        content = {"schema": endpoint.body.shape.schema(), "examples": _examples(endpoint.body.examples)}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    if endpoint.form is not None:
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": _form(endpoint.form)}}
    responses = {str(one.status): _good(endpoint, one) for one in (endpoint.good, *endpoint.also)}
    for status, examples in sorted(_errors(endpoint).items()):
        responses[str(status)] = _error(status, examples)
    operation["responses"] = responses
    return operation


def _examples(examples: Mapping[str, Any]) -> Json:
    return {name.replace(" ", "-"): {"summary": name, "value": value} for name, value in examples.items()}


def _form(form: Form) -> Json:
    """Fields, then the file: in 3.1 contentMediaType says that it is one; `format` is for tools that know only 3.0."""
    properties = {one.name: {**one.shape.schema(), "description": one.description} for one in form.fields}
    properties["file"] = {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/octet-stream",
        "description": form.file,
    }
    encoding = {one.name: {"contentType": _media_type(one)} for one in form.fields}
    return {
        "schema": {
            "type": "object", "properties": properties, "required": ["file"], "additionalProperties": False,
        },
        "encoding": {**encoding, "file": {"contentType": "application/octet-stream"}},
        "examples": _examples(form.examples),
    }  # fmt: skip


def _media_type(field: Member) -> str:
    return "application/json" if field.shape.schema().get("type") == "object" else "text/plain"


def _operation_id(endpoint: Endpoint) -> str:
    words = endpoint.path.removeprefix("/v1/").replace("{", "").replace("}", "").replace("-", "/").split("/")
    return endpoint.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)


def _parameter(one: Parameter) -> Json:
    schema = one.shape.schema()
    if one.default is not None:
        schema["default"] = one.default
    parameter: Json = {
        "name": one.name,
        "in": "path" if one.in_path else "query",
        "required": one.required,
        "description": one.description,
        "schema": schema,
    }
    if one.example is not None:
        parameter["example"] = one.example
    return parameter


def _good(endpoint: Endpoint, one: Good) -> Json:
    headers = {**_ANSWER_HEADERS, **(_WRITE_HEADERS if endpoint.is_write else {})}
    if one.status == 201:
        headers["Location"] = {"description": "Path of what was created.", "schema": {"type": "string"}}
    content: Json = {"application/json": {"schema": one.shape.schema(), "example": one.example}}
    for media_type, example in one.documents.items():
        content[media_type] = {} if example is None else {"schema": {"type": "string"}, "example": example}
    if one.documents:
        headers["Content-Disposition"] = {"description": "What to call the file.", "schema": {"type": "string"}}
    return {"description": one.description, "headers": headers, "content": content}


def _errors(endpoint: Endpoint) -> dict[int, dict[str, Json]]:
    """Errors by status and name of their example, each as it is told; the endpoint's own come first."""
    found: dict[int, dict[str, Json]] = {}
    for reason in (*endpoint.reasons, *_EVERY_CALL, *(_EVERY_WRITE if endpoint.is_write else ())):
        error = error_example(reason, endpoint)
        told = error_object(error, endpoint.fields, of_transaction=endpoint.is_of_transactions)
        found.setdefault(TOLD[reason].status, {})[reason.value.lower()] = told
    has_body = endpoint.body is not None or endpoint.form is not None
    for code in (*_ANYWHERE, *(_WITH_BODY if has_body else ())):
        told = error_object(HttpError(code, _MESSAGES[code]), {}, of_transaction=False)
        found.setdefault(HTTP_CODES[code], {})[code] = told
    return found


def _error(status: int, examples: dict[str, Json]) -> Json:
    headers = dict(_ANSWER_HEADERS)
    if status == 401:
        headers["WWW-Authenticate"] = {"description": "How to say who you are.", "schema": {"type": "string"}}
    if status in (429, 503):
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
    codes = dict.fromkeys(told["code"] for told in examples.values())
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        "headers": headers,
        "content": {
            "application/json": {
                "schema": ERROR_BODY.schema(),
                "examples": {
                    name: {"summary": name.replace("_", " "), "value": {"error": told}}
                    for name, told in examples.items()
                },
            }
        },
    }


_MESSAGES = {
    "request_timeout": "the body did not come in time; send it again",
    "body_too_large": "the body has more than 16777216 bytes (LEDGER_MAX_BODY_BYTES); send less at once",
    "unsupported_media_type": "Content-Type: must be application/json",
    "headers_too_large": "the headers have more than 32768 bytes",
    "overloaded": "too many requests are under way here; try again after a pause",
}


def _components(endpoints: tuple[Endpoint, ...]) -> Json:
    roots: list[Shape] = [ERROR_BODY]
    for endpoint in endpoints:
        roots += [one.shape for one in (endpoint.good, *endpoint.also)]
        if endpoint.body is not None:
            roots.append(endpoint.body.shape)
    named: dict[str, Object] = {}
    for found in _named(roots):
        if named.setdefault(found.name, found) is not found and named[found.name] != found:
            raise RuntimeError(f"two schemas are called {found.name}")
    return {name: named[name].whole_schema() for name in sorted(named)}


def _named(shapes: Iterable[Shape]) -> Iterator[Object]:
    for shape in shapes:
        if isinstance(shape, Object):
            if shape.name:
                yield shape
            yield from _named(member.shape for member in shape.members)
        elif isinstance(shape, ListOf):
            yield from _named([shape.item])
        elif isinstance(shape, OrNull):
            yield from _named([shape.shape])
        elif isinstance(shape, OneOf):
            yield from _named(shape.forms)
