"""The table of endpoints: complete, consistent, and the only source of routes and OpenAPI document."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs
import pytest

from ledger_service.application.access import SCOPES
from ledger_service.domain.errors import LedgerError, Reason, invalid
from ledger_service.gateway.app import App
from ledger_service.gateway.error_examples import error_example
from ledger_service.gateway.errors import HTTP_CODES, TOLD, TRANSACTION_FIELDS, error_object, field_name
from ledger_service.gateway.multipart import MultipartLimits
from ledger_service.gateway.openapi import document, statuses
from ledger_service.gateway.outgoing import time_text, write_json
from ledger_service.gateway.periods import first_moment, month_bounds
from ledger_service.gateway.shapes import Amount, Integer, Member, Object, Text
from ledger_service.gateway.table import ENDPOINTS
from ledger_service.gateway.times import moment
from tests.helpers.contract import PROMISES

DOCUMENT: dict[str, Any] = json.loads(write_json(document(ENDPOINTS)))
# Streams and watches are gRPC's; batches of accounts and balances are called one by one here.
NOT_IN_REST = {
    "BatchCreateAccounts", "BatchGetBalances", "StreamCreateTransactions", "WatchTransactions",
}  # fmt: skip


def schema(part: dict[str, Any]) -> dict[str, Any]:
    """A schema of the document that stands by itself."""
    return {"components": DOCUMENT["components"], **part}


def test_every_reason_has_its_place() -> None:
    assert set(TOLD) == set(Reason)
    for told in TOLD.values():
        assert 400 <= told.status <= 503
        for code in filter(None, (told.code, told.of_transaction)):
            assert code == code.lower()
            assert " " not in code


def test_the_codes_of_the_document_are_used() -> None:
    codes = {told.code for told in TOLD.values()} | {told.of_transaction for told in TOLD.values()}
    assert codes >= {
        "invalid_transaction", "duplicate_transaction", "account_not_found", "insufficient_balance",
        "permission_denied",
    }  # fmt: skip
    assert not {told.code for told in TOLD.values()} & set(HTTP_CODES) - {"invalid_request"}


def test_every_endpoint_names_its_scope_and_every_use_case_has_an_endpoint() -> None:
    used = {endpoint.use_case for endpoint in ENDPOINTS}
    assert used <= set(SCOPES)
    assert set(SCOPES) - used == NOT_IN_REST


def test_an_endpoint_without_a_scope_keeps_the_gateway_from_starting() -> None:
    class Nameless:
        method, path, use_case = "GET", "/v1/x", "Nameless"

    with pytest.raises(RuntimeError, match="GET /v1/x"):
        App(
            None,  # type: ignore[arg-type]
            (Nameless(),),  # type: ignore[arg-type]
            {},
            max_body_bytes=1,
            max_concurrent_requests=1,
            client_timeout_seconds=1,
            uploads=MultipartLimits(1, 1),
            make_key=str,
        )


def test_methods_and_paths_are_unique() -> None:
    places = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]
    assert len(places) == len(set(places))
    operations = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(operations) == len(set(operations)) == len(ENDPOINTS)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_an_endpoint_is_documented_whole(endpoint: Any) -> None:
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    assert set(operation["responses"]) == {str(status) for status in statuses(endpoint)}
    assert endpoint.summary[0].isupper()
    assert not endpoint.summary.endswith(".")
    for one in endpoint.path_parameters:
        assert f"{{{one.name}}}" in endpoint.path
    for parameter in operation["parameters"]:
        assert parameter["description"]
        if "example" in parameter:
            value = parameter["example"]
            value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
            jsonschema_rs.validate(schema(parameter["schema"]), value)
    bodies = operation.get("requestBody", {}).get("content", {})
    for content in bodies.values():
        assert content["examples"]
        for example in content["examples"].values():
            jsonschema_rs.validate(schema(content["schema"]), example["value"])
    for status, response in operation["responses"].items():
        if int(status) < 400:
            for media_type, content in response["content"].items():
                # Of bytes that are no text there is nothing to show.
                assert ("example" in content) == (media_type.startswith("text/") or "json" in media_type)
                if "example" in content:
                    jsonschema_rs.validate(schema(content["schema"]), content["example"])
            continue
        [content] = response["content"].values()
        for example in content["examples"].values():
            jsonschema_rs.validate(schema(content["schema"]), example["value"])
            error = example["value"]["error"]
            assert f"`{error['code']}`" in response["description"]
            assert error["message"].startswith(error["field"])


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.body], ids=lambda one: f"{one.method} {one.path}")
def test_the_examples_of_bodies_are_read(endpoint: Any) -> None:
    from ledger_service.gateway.json_text import read

    for example in endpoint.body.examples.values():
        endpoint.body.shape.read(read(write_json(example)), "")


def test_examples_show_amounts_with_their_decimals() -> None:
    assert b'"amount":250.00' in write_json(document(ENDPOINTS))


_SHAPE = Object((
    Member("amount", Amount(), "", required=True),
    Member("count", Integer(1, 10), ""),
    Member("debitAccountId", Text(), ""),
))  # fmt: skip


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        ([], "body", "must be an object, not an array"),
        ({}, "amount", "is required"),
        ({"amout": 1}, "amout", "did you mean amount?"),
        ({"DebitAccountID": 1}, "DebitAccountID", "did you mean debitAccountId?"),
        ({"amount": True}, "amount", "must be a number or a string, not a boolean"),
        ({"amount": None}, "amount", "not null"),
        ({"amount": "1", "count": "1"}, "count", "must be a whole number, not a string"),
        ({"amount": "1", "debitAccountId": []}, "debitAccountId", "must be a string, not an array"),
    ],
)
def test_wrong_members_are_named(value: object, field: str, says: str) -> None:
    with pytest.raises(LedgerError) as caught:
        _SHAPE.read(value, "")
    assert caught.value.metadata["field"] == field
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-15T10:30:00Z", datetime(2023, 5, 15, 10, 30, tzinfo=UTC)),
        ("2023-05-15t10:30:00.5z", datetime(2023, 5, 15, 10, 30, 0, 500_000, tzinfo=UTC)),
        ("2023-05-15T10:30:00.123456000+02:00", datetime(2023, 5, 15, 8, 30, 0, 123_456, tzinfo=UTC)),
        ("2023-01-01T00:00:00-11:30", datetime(2023, 1, 1, 11, 30, tzinfo=UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert moment(text, "date") == expected
    assert moment(time_text(expected), "date") == expected


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-15", "2023-05-15T10:30:00", "2023-05-15 10:30:00Z", "20230515T103000Z", "2023-02-30T00:00:00Z",
        "2023-05-15T24:00:00Z", "2023-05-15T10:30:60Z", "2023-05-15T10:30:00+24:00", "2023-05-15T10:30:00.1234567Z",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59",
        "\uff12\uff10\uff12\uff13-05-15T10:30:00Z",
        "2023-W20-1T10:30:00Z", "", "now",
    ],
)  # fmt: skip
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(LedgerError) as caught:
        moment(text, "date")
    assert caught.value.metadata["field"] == "date"


def test_months_begin_at_the_first_moment_of_their_zone() -> None:
    start, end = month_bounds(2023, 3, ZoneInfo("Europe/Prague"))
    assert (start, end) == (datetime(2023, 2, 28, 23, tzinfo=UTC), datetime(2023, 3, 31, 22, tzinfo=UTC))
    start, end = month_bounds(2023, 12, ZoneInfo("America/New_York"))
    assert (start, end) == (datetime(2023, 12, 1, 5, tzinfo=UTC), datetime(2024, 1, 1, 5, tzinfo=UTC))


def test_days_begin_where_the_clock_jumps_over_midnight() -> None:
    # In Beirut 2022-03-27 began at 01:00; in Havana the clock of 2023-11-05 showed the first hour twice.
    assert first_moment(date(2022, 3, 27), ZoneInfo("Asia/Beirut")) == datetime(2022, 3, 26, 22, tzinfo=UTC)
    assert first_moment(date(2023, 11, 5), ZoneInfo("America/Havana")) == datetime(2023, 11, 5, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("", ""),
        ("amount.amount", "amount"),
        ("amount.currency", "currency"),
        ("postings[3].amount.currency", "postings[3].currency"),
        ("transactions[7].postings[3].amount.amount", "transactions[7].postings[3].amount"),
        ("transactions[12].debit_account_id", "transactions[12].debitAccountId"),
        ("effective_time", "date"),
        ("limits[0].floor", "limits[0].floor"),
        ("bank_account.institution_id", "bankAccount.institutionId"),
    ],
)
def test_fields_have_the_names_of_the_body(path: str, shown: str) -> None:
    assert field_name(path, TRANSACTION_FIELDS) == shown


def test_an_error_tells_facts_as_json_has_them() -> None:
    error = LedgerError(
        Reason.INSUFFICIENT_BALANCE,
        "too little",
        {"account_id": "7", "currency": "USD", "available": "-5.00", "failed_index": "3", "replayed": "true"},
    )
    assert json.loads(write_json(error_object(error, {}, of_transaction=True))) == {
        "code": "insufficient_balance",
        "message": "too little",
        "field": "",
        "details": {
            "accountId": "7", "currency": "USD", "available": -5.00, "failedIndex": 3, "replayed": True,
            "reason": "INSUFFICIENT_BALANCE",
        },
    }  # fmt: skip
    told = error_object(invalid("debit_account_id", "is required"), {}, of_transaction=False)
    assert (told["code"], told["message"], told["field"]) == (
        "invalid_request", "debitAccountId: is required", "debitAccountId",
    )  # fmt: skip


def test_errors_are_documented_as_they_are_told() -> None:
    """Each reason that an endpoint names has an example with its facts, in the names of that endpoint's request."""
    missing = DOCUMENT["paths"]["/v1/transactions/edit"]["post"]["responses"]["404"]["content"]["application/json"]
    assert missing["examples"]["transaction_not_found"]["value"]["error"] == {
        "code": "transaction_not_found",
        "message": "id: transaction txn_x does not exist in this entity",
        "field": "id",
        "details": {"transactionId": "txn_x", "reason": "TRANSACTION_NOT_FOUND"},
    }
    for endpoint in ENDPOINTS:
        responses = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]["responses"]
        for reason in endpoint.reasons:
            told = responses[str(TOLD[reason].status)]["content"]["application/json"]["examples"][reason.value.lower()]
            assert told["value"]["error"]["details"]["reason"] == reason.value


@pytest.mark.parametrize("reason", [one for one in Reason if one is not Reason.INVALID_ARGUMENT])
def test_an_example_has_the_facts_that_are_promised(reason: Reason) -> None:
    promise = PROMISES[reason.value]
    found = set(error_example(reason, ENDPOINTS[0]).metadata) - {"field"}
    assert len(found & promise.one_of) == bool(promise.one_of)
    # Which item failed, and that it is a replay, is added where there are several, or an earlier one.
    assert found - {"failed_index"} - promise.one_of == promise.metadata - {"field", "failed_index", "replayed"}
