"""Records: fixed bytes for fixed rows, other bytes for any other row, and all of it can be read back."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.domain.decide.book import EventRow
from ledger_service.domain.sealing.record import Unrecordable, canonical_json, read_record, records_of
from ledger_service.domain.sealing.seals import UnsealedHistory, seal_rows
from ledger_service.domain.sealing.tree import leaf_hash
from ledger_service.domain.transaction import EventKind, Status

RECORDED = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
EFFECTIVE = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

CREATED = EventRow(
    entity_no=7, sequence=42, kind=EventKind.TRANSACTION_CREATED, span=1, recorded_time=RECORDED, actor="billing",
    idempotency_key="order-1", request_hash=bytes(range(16)), transaction_no=42, revision=1, status=Status.POSTED,
    postings_at=42, effective_time=EFFECTIVE, expire_time=None, description="Café", reference="", counterparty=None,
    category_id=None, metadata='{"b": [1.50, null], "a": "x"}', reverses=None, account_no=None, detail=None,
)  # fmt: skip
DEBIT = (7, 2, "USD", 5, 42, 1, 0, 1, 1999, 5000, 0, 0, 0, EFFECTIVE, RECORDED, None)
CREDIT = (7, 3, "USD", 9, 42, 1, 1, 2, 0, 0, 0, 0, 0, EFFECTIVE, EFFECTIVE, (1999, 0, 10**37, 0, 0))

EVENT_COLUMNS = EventRow._fields
ENTRY_COLUMNS = (
    "entity_no", "account_no", "currency", "number", "sequence", "kind", "leg", "side", "amount", "debits_posted",
    "credits_posted", "debits_pending", "credits_pending", "effective_time", "latest_effective", "wide",
)  # fmt: skip

NULLABLE_NUMBERS = ("transaction_no", "revision", "status", "postings_at", "reverses", "account_no")

VECTOR = (
    "01"  # version
    "00000007000000000000002a00010000000100064bf535b2e090"  # entity, sequence, kind, span, recorded
    "01000000000000002a010000000101000301000000000000002a"  # transaction, revision, status, postings_at
    "01ffffffffffffffff000000000000000000"  # effective, expire
    "000000000000000000000000000000000000"  # reverses, account
    "0000006a00000002"  # bytes of text, entries
    "2b62696c6c696e67002b6f726465722d3100"  # +billing +order-1
    "2b303030313032303330343035303630373038303930613062306330643065306600"  # +000102…0f
    "2b436166c3a9002b002d002d00"  # +Café + - -
    "2b7b2261223a2278222c2262223a5b7b225c7530303030223a22312e3530227d2c6e756c6c5d7d002d"
    # Entries: kind, leg, side, account, number, currency, amount, four totals, effective, latest, wide
    "0001000000010000000000000002000000000000000555534400000000000000000000000000000007cf"
    "0000000000001388000000000000000000000000000000000000000000000000ffffffffffffffff"
    "00064bf535b2e090ffff"
    "000100010002000000000000000300000000000000095553440000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000ffffffffffffffff"
    "ffffffffffffffff00050031"
    "31393939003000313030303030303030303030303030303030303030303030303030303030303030303030303000"
    "300030"
)  # fmt: skip


def record(event: Any = CREATED, entries: Any = (DEBIT, CREDIT)) -> bytes:
    return records_of([event], list(entries))[0]


def test_the_bytes_of_version_1_are_fixed() -> None:
    """What was sealed once must be found again by every later release: a change here is another version."""
    assert record().hex() == VECTOR
    assert leaf_hash(record()).hex() == ("37b216a450af6ff83db67d7e24285519720569c4d9fe7ae8ba0bcca035ec961c")


def test_entries_may_come_in_any_order() -> None:
    assert record(entries=(CREDIT, DEBIT)) == record()


def others(column: str, value: Any) -> list[Any]:
    """Other values that the column could have."""
    if column == "wide":
        return [None, (), (1999, 0, 10**37, 0, 1), (1999, 0, 10**37, 0)] if value else [(1, 2, 3, 4, 5), ()]
    if column in ("metadata", "detail"):
        return ["{}", '{"a": "x", "b": [1.5, null]}', '{"a": "x"}', "null", None if value else '{"a": 1}']
    if isinstance(value, datetime):
        return [value + timedelta(microseconds=1), value - timedelta(days=1)]
    if isinstance(value, bytes):
        return [bytes(16), None, value[:-1], b""]
    if column.endswith("_time"):
        return [RECORDED, EFFECTIVE]
    if isinstance(value, str) or column in ("counterparty", "category_id", "description", "reference"):
        return [f"{value}x", "other", "-", *([] if column in ("currency", "actor") else [None, ""])]
    nothing = [None, 0] if column in NULLABLE_NUMBERS else []
    return [(value or 0) + 1, (value or 0) - 1, *nothing]


def is_same(one: Any, other: Any) -> bool:
    return one == other and (one is None) == (other is None)


@pytest.mark.parametrize("column", EVENT_COLUMNS)
def test_every_column_of_an_event_counts(column: str) -> None:
    value = getattr(CREATED, column)
    for other in others(column, value):
        if is_same(other, value):
            continue
        changed = CREATED._replace(**{column: other})
        assert records_of([changed], [])[0] != records_of([CREATED], [])[0], other


@pytest.mark.parametrize("entry", [DEBIT, CREDIT], ids=["narrow", "wide"])
@pytest.mark.parametrize("column", [name for name in ENTRY_COLUMNS if name not in ("entity_no", "sequence")])
def test_every_column_of_an_entry_counts(column: str, entry: tuple[Any, ...]) -> None:
    """But the two that are the event's: an entry with others is another event's entry."""
    place = ENTRY_COLUMNS.index(column)
    for other in others(column, entry[place]):
        # In an entry nothing but `wide` can be NULL.
        if not is_same(other, entry[place]) and (other is not None or column == "wide"):
            changed = (*entry[:place], other, *entry[place + 1 :])
            assert record(entries=[changed]) != record(entries=[entry]), other


def test_one_entry_more_or_less_counts() -> None:
    assert len({record(), record(entries=[DEBIT]), record(entries=[]), record(entries=[DEBIT, DEBIT])}) == 4


texts = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(texts, texts, texts, texts), min_size=2, max_size=2, unique=True))
def test_texts_can_not_run_into_each_other(pair: list[tuple[str | None, ...]]) -> None:
    rows = [
        CREATED._replace(description=one[0], reference=one[1], counterparty=one[2], category_id=one[3]) for one in pair
    ]
    assert len({records_of([row], [])[0] for row in rows}) == 2


integers = st.integers(-(2**63), 2**63 - 1)


@given(st.tuples(*[st.none() | integers] * 4), st.none() | texts, st.integers(0, 4))
def test_what_is_recorded_can_be_read(numbers: tuple[int | None, ...], text: str | None, count: int) -> None:
    event = CREATED._replace(
        transaction_no=numbers[0], postings_at=numbers[1], reverses=numbers[2], account_no=numbers[3], reference=text
    )
    entries = [(*row[:6], leg, *row[7:]) for leg, row in enumerate([DEBIT, CREDIT, DEBIT, CREDIT][:count])]
    read = read_record(record(event, entries))
    assert [read.event[name] for name in ("transaction_no", "postings_at", "reverses", "account_no")] == list(numbers)
    assert read.event["reference"] == text
    assert read.event["description"] == "Café"
    assert [entry["amount"] for entry in read.entries] == [1999] * count
    assert [entry["leg"] for entry in read.entries] == list(range(count))


@given(st.integers(0, 400), st.integers(1, 255))
def test_other_bytes_are_no_record_or_another_one(place: int, change: int) -> None:
    data = bytearray(record())
    data[place % len(data)] ^= change
    with contextlib.suppress(Unrecordable):
        assert read_record(bytes(data)) != read_record(record())


@pytest.mark.parametrize("data", [b"", b"\2" + record()[1:], record() + b"\0", record()[:-1]])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(Unrecordable):
        read_record(data)


@pytest.mark.parametrize(
    ("entry", "column", "value"),
    [(DEBIT, 2, "A" * 13), (DEBIT, 8, 2**63), (DEBIT, 5, 2**15), (DEBIT, 1, None), (DEBIT, 4, 43)],
)
def test_a_row_without_a_place_in_the_form_is_refused(entry: tuple[Any, ...], column: int, value: Any) -> None:
    changed = (*entry[:column], value, *entry[column + 1 :])
    with pytest.raises(Unrecordable):
        record(entries=[changed])


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_json_is_one_text_however_it_is_written(value: Any) -> None:
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    wide = json.dumps(value, indent=1, ensure_ascii=True)
    assert canonical_json(compact) == canonical_json(wide)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('{"b":1,"a":{"d":2,"c":"\\u00e9"}}', '{"a":{"c":"é","d":2},"b":1}'),
        ("1.50", '{"\\u0000":"1.50"}'),
        ("1e22", "10000000000000000000000"),
        ("1e-7", '{"\\u0000":"0.0000001"}'),
        ("-0.0", '{"\\u0000":"0.0"}'),
        ("12345678901234567890123456789", "12345678901234567890123456789"),
    ],
)
def test_json_as_postgresql_keeps_it(text: str, canonical: str) -> None:
    assert canonical_json(text) == canonical


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Unrecordable, match="not JSON"):
        canonical_json(text)


def test_a_seal_goes_on_where_the_last_one_ended() -> None:
    first = seal_rows(7, 0, b"", [CREATED._replace(sequence=1)], [])
    second = seal_rows(7, first.last_sequence, first.peaks, [CREATED._replace(sequence=2)], [])
    assert (second.first_sequence, second.last_sequence) == (2, 2)
    with pytest.raises(UnsealedHistory, match="sealed up to 2, and the next to be written is 42"):
        seal_rows(7, second.last_sequence, second.peaks, [CREATED], [])
