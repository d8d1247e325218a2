"""Reconciliations in JSON: as the document says, exact, nothing where there is no value; and what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest

from ledger_service.application.reconciling.records import RawCharge, RawRule
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway import reconciliation_bodies as bodies
from ledger_service.gateway import reconciliation_outgoing as out
from ledger_service.gateway import reconciliation_schemas as schemas
from ledger_service.gateway.errors import TOLD, error_object, field_name
from ledger_service.gateway.json_text import read
from ledger_service.gateway.openapi import document
from ledger_service.gateway.outgoing import write_json
from ledger_service.gateway.reconciliation_matches import raw_profile
from ledger_service.gateway.report_schema import REPORT
from ledger_service.gateway.shapes import Shape
from ledger_service.gateway.table import ENDPOINTS
from ledger_service.gateway.text_map import TextMap
from tests.helpers import reconciling_records as records
from tests.helpers.reports import empty_report, enormous, some_report

DOCUMENT: dict[str, Any] = json.loads(write_json(document(ENDPOINTS)))
CONTEXT = records.context()
IDS = {number: CONTEXT.public_id(number) for number in range(9, 13)}


def told(value: object, shape: Shape) -> Any:
    """As a client reads it, after the schema that the document has for it was held against it."""
    text = write_json(value)
    jsonschema_rs.validate({"components": DOCUMENT["components"], **shape.schema()}, json.loads(text))
    return json.loads(text, parse_float=Decimal, parse_int=str)


EVERYTHING: list[tuple[Callable[[], object], Shape]] = [
    *((lambda one=one: out.profile(CONTEXT, one), schemas.PROFILE) for one in (records.PROFILE, records.BARE_PROFILE)),
    *(
        (lambda one=one: out.statement(CONTEXT, one), schemas.STATEMENT)
        for one in (records.STATEMENT, records.BARE_STATEMENT)
    ),
    *((lambda one=one: out.line(CONTEXT, one), schemas.LINE) for one in (records.LINE, records.BARE_LINE)),
    *((lambda one=one: out.item(CONTEXT, one), schemas.ITEM) for one in (records.ITEM, records.BARE_ITEM)),
    *(
        (lambda one=one: out.match(CONTEXT, one), schemas.MATCH)
        for one in (records.MATCH, records.PROPOSED, records.BARE_MATCH)
    ),
    *(
        (lambda one=one: out.finding(CONTEXT, one), schemas.FINDING)
        for one in (records.FINDING, records.BARE_FINDING)
    ),
    *((lambda one=one: out.failure(CONTEXT, one), schemas.FAILURE) for one in records.CONFIRMED.failures),
    *((lambda one=one: out.summary(one), schemas.SUMMARY) for one in (records.SUMMARY, records.BARE_SUMMARY)),
    *(
        (lambda one=one: out.reconciliation(one), REPORT)
        for one in (
            some_report(), empty_report(), enormous(), some_report(exponent=0),
            replace(some_report(), is_closed=True, closed_by="carol", closed_time=records.NOON),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), EVERYTHING)
def test_everything_is_as_its_schema_says(make: Callable[[], object], shape: Shape) -> None:
    assert None not in told(make(), shape).values()


def test_statements_and_lines() -> None:
    assert told(out.statement(CONTEXT, records.STATEMENT), schemas.STATEMENT) == {
        "number": "2", "bankNumber": "2026-06", "bankAccount": "CZ65", "fileName": "june.xml", "fileSha256": "01" * 32,
        "format": "MT940", "openingBalance": Decimal("9800.00"), "openingDate": "2026-06-01",
        "closingBalance": Decimal("-0.05"), "closingDate": "2026-06-30", "lines": "3", "knownLines": "1",
        "sum": Decimal("-9800.05"), "contradictions": ["line 4: sums differ"], "importedAt": "2026-07-01T12:00:00.25Z",
        "actor": "ann",
    }  # fmt: skip
    assert told(out.statement(CONTEXT, records.BARE_STATEMENT), schemas.STATEMENT).keys() == {
        "number", "fileSha256", "format", "lines", "knownLines", "sum", "contradictions", "importedAt", "actor",
    }  # fmt: skip
    assert told(out.line(CONTEXT, records.LINE), schemas.LINE) == {
        "number": "17", "statementNumber": "2", "bookingDate": "2026-06-30", "valueDate": "2026-07-01",
        "amount": Decimal("-250.00"), "counterparty": "Depot", "counterpartyAccount": "DE02",
        "references": ["R1", "R2"], "text": "Invoice", "bankCode": "PMNT", "raw": "<Ntry/>", "state": "CONFIRMED",
        "matchNumber": "4",
    }  # fmt: skip
    assert b'"amount":0.001' in write_json(out.line(records.context(3), records.BARE_LINE))
    assert b'"amount":1,' in write_json(out.line(records.context(0), records.BARE_LINE))


def test_items_matches_and_findings() -> None:
    assert told(out.item(CONTEXT, records.ITEM), schemas.ITEM) == {
        "transactionId": IDS[9], "date": "2026-06-30", "amount": Decimal("-250.00"), "counterparty": "Depot",
        "reference": "R1", "description": "Paper", "status": "CLEARED", "state": "PROPOSED", "matchNumber": "4",
    }  # fmt: skip
    assert told(out.match(CONTEXT, records.MATCH), schemas.MATCH) == {
        "number": "4", "state": "CONFIRMED", "rule": "MANUAL", "lineNumbers": ["17", "18"],
        "transactionIds": [IDS[9], IDS[11]], "difference": Decimal("-0.05"), "score": "97", "reason": "the same money",
        "writeOff": {
            "accountId": "acc_fees", "description": "Bank fee", "amount": Decimal("-0.05"), "transactionId": IDS[11],
        },
        "actor": "ann", "createdAt": "2026-07-01T12:00:00.25Z", "decidedBy": "bob",
        "decidedAt": "2026-07-01T12:00:00.25Z", "note": "seen",
    }  # fmt: skip
    assert "transactionId" not in told(out.match(CONTEXT, records.PROPOSED), schemas.MATCH)["writeOff"]
    assert told(out.finding(CONTEXT, records.FINDING), schemas.FINDING)["options"] == [
        [{"lineNumbers": ["17"], "transactionIds": [IDS[9]]}],
        [
            {"lineNumbers": ["17"], "transactionIds": [IDS[10]]},
            {"lineNumbers": ["18"], "transactionIds": [IDS[9]]},
        ],
    ]
    assert [told(out.failure(CONTEXT, one), schemas.FAILURE) for one in records.CONFIRMED.failures] == [
        {"matchNumber": "4", "reason": "ACCOUNT_CLOSED", "message": "it is closed"},
        {"matchNumber": "5", "transactionId": IDS[9], "reason": "INVALID_STATUS", "message": "it is VOIDED"},
    ]


def test_summaries() -> None:
    assert told(out.summary(records.SUMMARY), schemas.SUMMARY) == {
        "accountId": "acc_bank", "currency": "USD", "isClosed": True, "date": "2026-06-30",
        "statementBalance": Decimal("-0.05"), "ledgerBalance": Decimal("0.07"), "revision": "3", "closedBy": "carol",
        "isReopened": True,
    }  # fmt: skip
    assert told(out.summary(records.BARE_SUMMARY), schemas.SUMMARY) == {
        "accountId": "acc_bank", "currency": "JPY", "isClosed": False, "revision": "1", "isReopened": False,
    }  # fmt: skip


@pytest.mark.parametrize("report", [some_report(), empty_report(), enormous()])
def test_the_result_adds_up_as_it_is_told(report: Any) -> None:
    answer = told(out.reconciliation(report), REPORT)
    terms = {name: Decimal(value) for name, value in answer["equation"].items() if name != "addsUp"}
    assert answer["equation"]["addsUp"] is True
    assert sum(terms.values()) == 2 * terms["ledgerBalance"]
    assert [item.get("lineNumber") or item["transactionId"] for item in answer["openItems"]] == [
        item.id for item in report.open_items
    ]


def test_a_profile_comes_back_as_it_is_sent() -> None:
    """What is read can be sent again, and means the same."""
    for record in (records.PROFILE, records.BARE_PROFILE):
        shown = out.profile(CONTEXT, record)
        raw = raw_profile(bodies.PROFILE.read(read(write_json(shown)), ""))
        assert [(rule.kind, rule.days, rule.most, rule.auto_confirm) for rule in raw.rules] == [
            (rule.kind.value, rule.days, rule.most, rule.auto_confirm) for rule in record.profile.rules
        ]
        assert [rule.tolerance for rule in raw.rules] == [
            CONTEXT.decimal(rule.tolerance) for rule in record.profile.rules
        ]
        assert len(raw.charges) == len(record.profile.charges)
        assert (raw.is_inverted, raw.clears_transactions) == (record.profile.is_inverted, record.profile.clears)
        assert raw.csv_mapping == record.csv_mapping


def test_what_a_rule_leaves_out_is_as_usual() -> None:
    sent = {"rules": [{"kind": "REFERENCE"}], "charges": [
        {"name": "fees", "pattern": "fee*", "accountId": "acc_fees", "description": "Fee"},
    ]}  # fmt: skip
    body = bodies.PROFILE.read(read(json.dumps(sent).encode()), "")
    # The names of what is sent are the mask of the update.
    assert set(body) == {"rules", "charges"}
    raw = raw_profile(body)
    assert raw.rules == (RawRule("REFERENCE", 3, "0", 0, 85, 8, False),)
    assert raw.charges == (RawCharge("fees", "fee*", 0, "acc_fees", "Fee"),)


def test_null_takes_the_account_of_differences_away() -> None:
    body = bodies.PROFILE.read(read(b'{"differenceAccountId": null, "differenceDescription": null}'), "")
    assert body == {"difference_account_id": "", "difference_description": ""}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("profile.rules[3].tolerance_ppm", "rules[3].tolerancePpm"),
        ("profile.charges[0].account_id", "charges[0].accountId"),
        ("profile.csv_mapping", "csvMapping"),
        ("profile.difference_account_id", "differenceAccountId"),
        ("account_id", "accountId"),
    ],
)
def test_fields_of_a_profile_have_the_names_of_the_body(path: str, shown: str) -> None:
    assert field_name(path, bodies.PROFILE_FIELDS) == shown


def test_errors_speak_of_the_request() -> None:
    error = LedgerError(
        Reason.INVALID_MATCH_STATE, "match 4 is REJECTED; name others in match_numbers",
        {"match_number": "4", "state": "REJECTED"},
    )  # fmt: skip
    assert json.loads(write_json(error_object(error, {}, of_transaction=False))) == {
        "code": "invalid_match_state",
        "message": "matchNumbers: match 4 is REJECTED; name others in matchNumbers",
        "field": "matchNumbers",
        "details": {"matchNumber": 4, "state": "REJECTED", "reason": "INVALID_MATCH_STATE"},
    }
    assert TOLD[Reason.WORK_TOO_LARGE].status == 413


@pytest.mark.parametrize("text", ["{}", '{"delimiter": ";", "date": "Datum"}'])
def test_texts_by_name(text: str) -> None:
    assert TextMap().from_text(text, "csvMapping") == json.loads(text)
    assert TextMap().read(json.loads(text), "csvMapping") == json.loads(text)


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("", "csvMapping", "is empty"),
        ("delimiter=;", "csvMapping", "is no JSON"),
        ("[]", "csvMapping", "must be an object, not an array"),
        ('{"a": 1}', "csvMapping.a", "must be a string, not a number"),
        ('{"a": "1", "a": "2"}', "csvMapping.a", "stands twice"),
        ('{"a": "\\u0000"}', "csvMapping.a", "NUL"),
    ],
)
def test_what_is_no_such_object_is_told_by_the_field(text: str, field: str, says: str) -> None:
    with pytest.raises(LedgerError) as caught:
        TextMap().from_text(text, "csvMapping")
    assert caught.value.metadata["field"] == field
    assert caught.value.message.startswith(f"{field}: ")
    assert says in caught.value.message


def test_the_form_of_an_upload_is_documented() -> None:
    operation = DOCUMENT["paths"]["/v1/reconciliations/statements"]["post"]
    content = operation["requestBody"]["content"]["multipart/form-data"]
    assert list(content["schema"]["properties"])[-1] == "file", "the file is the last part"
    assert content["schema"]["required"] == ["file"]
    assert content["schema"]["properties"]["file"]["contentMediaType"] == "application/octet-stream"
    assert content["encoding"]["csvMapping"] == {"contentType": "application/json"}
    assert {"400", "413", "415", "408"} <= set(operation["responses"])
