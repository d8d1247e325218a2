"""Messages of reconciliations: every value in its place, exact; and the order in which a file must come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from ledger.v1 import reconciliation_pb2 as pb
from ledger.v1 import reconciliation_service_pb2 as service_pb
from ledger_service.application.reconciling.records import ItemState, MatchState, Place, RawCharge, RawRule
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.matching.model import FindingKind, RuleKind
from ledger_service.rendering import FORMATS
from ledger_service.rpc import reconciliation as messages
from ledger_service.rpc.reconciliation_report import DOCUMENT_CHUNK_BYTES, document_parts, reconciliation
from ledger_service.rpc.registration import Malformed
from ledger_service.rpc.uploads import MAX_CHUNK_BYTES, Part, read_chunks, read_header
from tests.helpers import reconciling_records as records
from tests.helpers.reports import empty_report, some_report

CONTEXT = records.context()
IDS = {number: CONTEXT.public_id(number) for number in range(9, 13)}


def told(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def test_enums_have_the_names_of_the_use_cases() -> None:
    """A kind that only one side knows could not be told."""
    assert set(messages.RULES) == {"", *(kind.value for kind in RuleKind), "MANUAL", "CHARGE"}
    assert set(messages.FINDINGS) == {"", *(kind.value for kind in FindingKind)}
    assert {pb.MatchState.Name(state).removeprefix("MATCH_STATE_") for state in MatchState} == set(
        MatchState.__members__
    )
    assert {pb.ItemState.Name(state).removeprefix("ITEM_STATE_") for state in ItemState} == set(ItemState.__members__)
    known = [number for number in service_pb.ReconciliationFormat.values() if number]
    assert [messages.format_name(number) for number in known] == list(FORMATS)


@pytest.mark.parametrize("number", [-1, 99])
def test_numbers_that_are_no_kinds_are_refused(number: int) -> None:
    profile = pb.ReconciliationProfile(rules=[pb.MatchRule(kind=1), pb.MatchRule(kind=number)])  # type: ignore[arg-type]
    for read, field in (
        (lambda: messages.rule_name(number, "rule"), "rule"),
        (lambda: messages.finding_name(number, "kind"), "kind"),
        (lambda: messages.format_name(number), "format"),
        (lambda: messages.raw_profile(profile), "profile.rules[1].kind"),
    ):
        with pytest.raises(LedgerError) as caught:
            read()
        assert (caught.value.reason, caught.value.metadata["field"]) == (Reason.INVALID_ARGUMENT, field)


def test_a_format_must_be_named() -> None:
    with pytest.raises(LedgerError, match="format: must be one of csv, xlsx, html, json"):
        messages.format_name(0)


def test_a_profile_as_it_was_written() -> None:
    message = pb.ReconciliationProfile(
        rules=[
            pb.MatchRule(
                kind=pb.MATCH_RULE_KIND_MANY_TO_MANY, days=5, tolerance="0.05", tolerance_ppm=1_000, similarity=90,
                most=40, auto_confirm=True,
            ),
            pb.MatchRule(),
        ],
        charges=[pb.ChargeTemplate(name="fees", pattern="fee*", sign=-1, account_id="acc_fees", description="Fee")],
        difference_account_id="acc_differences", difference_description="Difference", is_inverted=True,
        clears_transactions=True, csv_mapping={"delimiter": ";"},
    )  # fmt: skip
    raw = messages.raw_profile(message)
    assert raw.rules == (RawRule("MANY_TO_MANY", 5, "0.05", 1_000, 90, 40, True), RawRule("", 0, "", 0, 0, 0, False))
    assert raw.charges == (RawCharge("fees", "fee*", -1, "acc_fees", "Fee"),)
    assert (raw.difference_account_id, raw.difference_description) == ("acc_differences", "Difference")
    assert (raw.is_inverted, raw.clears_transactions, raw.csv_mapping) == (True, True, {"delimiter": ";"})


def test_a_profile_comes_back_as_it_is_sent() -> None:
    """What is read can be sent again, and means the same."""
    for record in (records.PROFILE, records.BARE_PROFILE):
        raw = messages.raw_profile(messages.profile(CONTEXT, record))
        profile = record.profile
        assert [(rule.kind, rule.days, rule.tolerance_ppm, rule.similarity, rule.most, rule.auto_confirm)
                for rule in raw.rules] == [
            (rule.kind.value, rule.days, rule.tolerance_ppm, rule.similarity, rule.most, rule.auto_confirm)
            for rule in profile.rules
        ]  # fmt: skip
        assert [rule.tolerance for rule in raw.rules] == [CONTEXT.decimal(rule.tolerance) for rule in profile.rules]
        assert [tuple(getattr(charge, name) for name in RawCharge.__slots__) for charge in raw.charges] == [
            tuple(getattr(charge, name) for name in RawCharge.__slots__) for charge in profile.charges
        ]
        assert raw.difference_account_id == (profile.differences.account_id if profile.differences else "")
        assert raw.difference_description == (profile.differences.description if profile.differences else "")
        assert (raw.is_inverted, raw.clears_transactions) == (profile.is_inverted, profile.clears)
        assert raw.csv_mapping == record.csv_mapping


def test_statements() -> None:
    assert told(messages.statement(CONTEXT, records.STATEMENT)) == {
        "number": "2", "bank_number": "2026-06", "bank_account": "CZ65", "file_name": "june.xml",
        "file_sha256": "01" * 32, "format": "MT940", "opening_balance": "9800.00", "opening_date": "2026-06-01",
        "closing_balance": "-0.05", "closing_date": "2026-06-30", "lines": 3, "known_lines": 1, "sum": "-9800.05",
        "contradictions": ["line 4: sums differ"], "import_time": "2026-07-01T12:00:00.250Z", "actor": "ann",
    }  # fmt: skip
    assert told(messages.statement(CONTEXT, records.BARE_STATEMENT)) == {
        "number": "1", "file_sha256": "02" * 32, "format": "CSV", "sum": "0.00",
        "import_time": "2026-07-01T12:00:00.250Z", "actor": "ann",
    }  # fmt: skip


def test_lines_and_items() -> None:
    assert told(messages.line(CONTEXT, records.LINE)) == {
        "number": "17", "statement_number": "2", "booking_date": "2026-06-30", "value_date": "2026-07-01",
        "amount": "-250.00", "counterparty": "Depot", "counterparty_account": "DE02", "references": ["R1", "R2"],
        "text": "Invoice", "bank_code": "PMNT", "raw": "<Ntry/>", "state": "ITEM_STATE_CONFIRMED", "match_number": "4",
    }  # fmt: skip
    assert messages.line(records.context(0), records.BARE_LINE).amount == "1"
    assert messages.line(records.context(3), records.BARE_LINE).amount == "0.001"
    assert told(messages.item(CONTEXT, records.ITEM)) == {
        "transaction_id": IDS[9], "date": "2026-06-30", "amount": "-250.00", "counterparty": "Depot",
        "reference": "R1", "description": "Paper", "status": "CLEARED", "state": "ITEM_STATE_PROPOSED",
        "match_number": "4",
    }  # fmt: skip
    assert messages.item(CONTEXT, records.BARE_ITEM).match_number == 0


def test_matches() -> None:
    assert told(messages.match(CONTEXT, records.MATCH)) == {
        "number": "4", "state": "MATCH_STATE_CONFIRMED", "rule": "MATCH_RULE_KIND_MANUAL",
        "line_numbers": ["17", "18"], "transaction_ids": [IDS[9], IDS[11]], "difference": "-0.05", "score": 97,
        "reason": "the same money",
        "write_off": {
            "account_id": "acc_fees", "description": "Bank fee", "amount": "-0.05", "transaction_id": IDS[11],
        },
        "actor": "ann", "create_time": "2026-07-01T12:00:00.250Z", "decided_by": "bob",
        "decide_time": "2026-07-01T12:00:00.250Z", "note": "seen",
    }  # fmt: skip
    proposed = messages.match(CONTEXT, records.PROPOSED)
    assert (proposed.write_off.amount, proposed.write_off.transaction_id) == ("0.01", "")
    assert not proposed.HasField("decide_time")
    assert not messages.match(CONTEXT, records.BARE_MATCH).HasField("write_off")


def test_findings_and_counts() -> None:
    assert told(messages.finding(CONTEXT, records.FINDING)) == {
        "kind": "FINDING_KIND_AMBIGUOUS", "line_numbers": ["17"], "transaction_ids": [IDS[9], IDS[10]],
        "amount": "-250.00", "reason": "as good as each other",
        "options": [
            {"pairs": [{"line_numbers": ["17"], "transaction_ids": [IDS[9]]}]},
            {"pairs": [
                {"line_numbers": ["17"], "transaction_ids": [IDS[10]]},
                {"line_numbers": ["18"], "transaction_ids": [IDS[9]]},
            ]},
        ],
    }  # fmt: skip
    assert [told(one) for one in messages.matched(2, records.RUN.matched)] == [
        {
            "rule": "MATCH_RULE_KIND_REFERENCE", "matches": 3, "proposed": 1, "lines": 3, "transactions": 4,
            "amount": "0.77",
        }
    ]  # fmt: skip
    assert [told(one) for one in messages.finding_counts(CONTEXT, records.RUN.findings)] == [
        {"kind": "FINDING_KIND_CHARGE", "count": 2, "amount": "0.10"}
    ]
    assert [told(messages.failure(CONTEXT, one)) for one in records.CONFIRMED.failures] == [
        {"match_number": "4", "reason": "ACCOUNT_CLOSED", "message": "it is closed"},
        {"match_number": "5", "transaction_id": IDS[9], "reason": "INVALID_STATUS", "message": "it is VOIDED"},
    ]


def test_summaries() -> None:
    assert told(messages.summary(records.SUMMARY)) == {
        "account_id": "acc_bank", "currency": "USD", "is_closed": True, "date": "2026-06-30",
        "statement_balance": "-0.05", "ledger_balance": "0.07", "revision": "3", "closed_by": "carol",
        "is_reopened": True,
    }  # fmt: skip
    assert told(messages.summary(records.BARE_SUMMARY)) == {
        "account_id": "acc_bank", "currency": "JPY", "revision": "1",
    }  # fmt: skip


def test_a_place_is_named_alike_in_every_request() -> None:
    for name, message in vars(service_pb).items():
        if name.endswith(("Request", "Header")) and "account_id" in message.DESCRIPTOR.fields_by_name:
            request = message(entity_id="acme", account_id="acc_bank", currency="USD")
            assert messages.place(request) == Place("acme", "acc_bank", "USD")


@pytest.mark.parametrize("report", [some_report(), some_report(is_closed=True, closed_by="carol"), empty_report()])
def test_the_result_adds_up_as_it_is_told(report: Any) -> None:
    message = reconciliation(replace(report, closed_time=records.NOON if report.is_closed else None))
    terms = told(message.equation)
    assert terms.pop("adds_up") is True
    assert sum(map(Decimal, terms.values())) == 2 * Decimal(terms["ledger_balance"])
    assert (message.date, message.first_date) == (report.until.isoformat(), report.began.isoformat())
    assert message.HasField("close_time") == report.is_closed
    assert [bool(item.line_number) != bool(item.transaction_id) for item in message.open_items] == [True] * len(
        report.open_items
    )
    assert [str(item.line_number or item.transaction_id) for item in message.open_items] == [
        item.id for item in report.open_items
    ]
    assert [age.most_days for age in message.ages] == [age.most or 0 for age in report.ages]
    assert [tuple(one.transaction_ids) for one in message.differences] == [
        one.transactions for one in report.differences
    ]
    assert [messages.finding_name(one.kind, "") for one in message.findings] == [kind for kind, _, _ in report.findings]


@pytest.mark.parametrize("size", [0, 1, DOCUMENT_CHUNK_BYTES, DOCUMENT_CHUNK_BYTES + 1, 3 * DOCUMENT_CHUNK_BYTES])
def test_a_document_comes_in_parts(size: int) -> None:
    document = bytes(index % 251 for index in range(size))
    parts = list(document_parts(document, "a.csv", "text/csv"))
    assert b"".join(part.chunk for part in parts) == document
    assert [(part.file_name, part.media_type) for part in parts] == [("a.csv", "text/csv")] + [("", "")] * (
        len(parts) - 1
    )
    assert all(len(part.chunk) <= DOCUMENT_CHUNK_BYTES for part in parts)


HEADER = service_pb.ImportStatementRequest(header=service_pb.ImportStatementHeader(entity_id="acme"))


def chunk(content: bytes) -> service_pb.ImportStatementRequest:
    return service_pb.ImportStatementRequest(chunk=content)


async def read(*parts: Part) -> tuple[service_pb.ImportStatementHeader, list[bytes]]:
    async def sent() -> AsyncIterator[Part]:
        for part in parts:
            yield part

    messages_sent = sent()
    header = await read_header(messages_sent)
    return header, [piece async for piece in read_chunks(messages_sent)]


async def test_a_header_and_then_the_file() -> None:
    header, pieces = await read(HEADER, chunk(b"a"), chunk(b"b" * MAX_CHUNK_BYTES), chunk(b"c"))
    assert header.entity_id == "acme"
    assert pieces == [b"a", b"b" * MAX_CHUNK_BYTES, b"c"]


@pytest.mark.parametrize(
    ("parts", "field", "says"),
    [
        ((), "header", "must be the first message"),
        ((chunk(b"a"), HEADER), "header", "must be the first message"),
        ((service_pb.ImportStatementRequest(),), "header", "must be the first message"),
        ((HEADER,), "file", "is empty"),
        ((HEADER, HEADER, chunk(b"a")), "header", "stands twice"),
        ((HEADER, chunk(b"a"), HEADER), "header", "stands twice"),
        ((HEADER, service_pb.ImportStatementRequest()), "chunk", "has none"),
        ((HEADER, chunk(b"a"), chunk(b"")), "chunk", "has none"),
        ((HEADER, chunk(b"a" * (MAX_CHUNK_BYTES + 1))), "chunk", f"has {MAX_CHUNK_BYTES + 1}"),
        ((Malformed("Error parsing message"),), "", "no well-formed message"),
        ((HEADER, Malformed("Error parsing message")), "", "no well-formed message"),
    ],
)
async def test_an_upload_out_of_order_is_refused(parts: tuple[Part, ...], field: str, says: str) -> None:
    with pytest.raises(LedgerError) as caught:
        await read(*parts)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    assert caught.value.metadata["field"] == field
    assert caught.value.message.startswith(field)
    assert says in caught.value.message


@pytest.mark.parametrize("read_on", [read_header, lambda parts, pause: anext(read_chunks(parts, pause))])
async def test_an_upload_that_stalls_is_ended(read_on: Any) -> None:
    async def nothing() -> AsyncIterator[Part]:
        await asyncio.Event().wait()
        yield HEADER

    with pytest.raises(LedgerError, match=r"nothing came for 0\.01 seconds") as caught:
        await read_on(nothing(), 0.01)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
