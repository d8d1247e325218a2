"""Files that were made to harm, or were harmed: a clear refusal, within the limits, and never a part of a file."""

from __future__ import annotations

import tracemalloc
from datetime import date
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.statements import camt, csv_reader, gathering, limits, reading, values
from ledger_service.statements.model import StatementFile
from ledger_service.statements.reading import read_statements
from tests.helpers.statement_files import WRITERS, Booking, damage, sample, total

NAMES = sorted(WRITERS)
CAMT = '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'


def refused(data: bytes) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        read_statements(data)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    assert caught.value.metadata["field"] == "file"
    return caught.value


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    ],
)
def test_document_types_are_refused(doctype: str) -> None:
    for rest in (CAMT + "<BkToCstmrStmt>&y;&x;</BkToCstmrStmt></Document>", "<?OFX OFXHEADER='200'?><OFX>&x;</OFX>"):
        assert (
            "line 2: a document type declaration" in refused(f"<?xml version='1.0'?>\n{doctype}{rest}".encode()).message
        )


def test_undeclared_entities_are_refused() -> None:
    assert "not well-formed" in refused(f"{CAMT}<BkToCstmrStmt>&x;</BkToCstmrStmt></Document>".encode()).message


def test_deep_nesting() -> None:
    assert "65 deep" in refused((CAMT + "<a>" * 100_000).encode()).message
    assert "65 deep" in refused(b"OFXHEADER:100\n<OFX>" + b"<A>" * 100_000).message


def test_many_elements() -> None:
    text = CAMT + "<BkToCstmrStmt><Stmt>" + "<a/>" * (limits.MAX_ELEMENTS + 1)
    assert "elements in one booking" in refused(text.encode()).message
    huge = CAMT + "<BkToCstmrStmt><Stmt><Ntry><a>" + "x" * (limits.MAX_RECORD_CHARS + 1) + "</a>"
    assert "characters in one booking" in refused((huge + "</Ntry></Stmt></BkToCstmrStmt></Document>").encode()).message


def test_file_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 1024 * 1024)
    assert "larger than the 1 MiB allowed" in refused(b":20:" + b"x" * 1024 * 1024).message


@pytest.mark.parametrize("name", NAMES)
def test_too_many_lines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sample(WRITERS[name], 11)
    read_statements(data)
    monkeypatch.setattr(gathering, "MAX_LINES", 10)
    monkeypatch.setattr(csv_reader, "MAX_LINES", 10)
    assert "more than 10 bookings in one file; split it" in refused(data).message


@pytest.mark.parametrize("start", [":20:R\n", "date,amount\n", "01,S,R,260131,0200,1,,,2/\n"])
def test_too_many_rows(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty rows cost time as well."""
    monkeypatch.setattr(values, "MAX_ROWS", 10)
    assert refused((start + "\n" * 10).encode()).message == "line 11: more than 10 rows in one file; split it"


def test_too_many_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_STATEMENTS", 2)
    assert "more than 2 statements" in refused(sample(WRITERS["MT940"], 1) * 3).message


def test_too_many_payments_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt, "MAX_DETAILS", 1)
    data = sample(WRITERS["camt.053.001.08"], 1).replace(b"</NtryDtls>", b"<TxDtls/></NtryDtls>")
    assert "an entry of 2 payments" in refused(data).message


def test_ten_million_lines_in_bounded_memory() -> None:
    """Rows that are no bookings: read one by one, refused at a limit long before the end."""
    data = b":20:R\n:25:A\n:28C:1\n:60F:C260101EUR0,\n:86:x\n" + b"row\n" * 10_000_000
    tracemalloc.start()
    try:
        error = refused(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.message == "line 5: :86: has more than the 10,000 characters allowed"
    # The text, once: 40 million characters.
    assert peak < 2.5 * len(data)


def test_warnings_are_counted_beyond_the_limit() -> None:
    rows = "".join("2026-01-02,1.00,5.00\n" for _ in range(limits.MAX_WARNINGS + 51))
    warnings = read_statements(f"date,amount,balance\n{rows}".encode()).warnings
    assert len(warnings) == limits.MAX_WARNINGS + 1
    assert warnings[-1].message == "and 51 more contradictions"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b" \r\n\x00", "it is empty"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"\x1f\x8brest", "gzip"),
        (b"%PDF-1.7", "a PDF"),
        (b"date,amount\n2026-01-02,1\x00\n", "line 2: a NUL character"),
        (b":20:\x81\xff\x8d", "line 1: the bytes are not utf-8 and not cp1252"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "UTF-32"),
        (b"<html><body>Log in</body></html>", "neither camt.053 nor camt.054 nor OFX"),
        (b'<?xml version="1.0" encoding="x-mac"?>' + CAMT.encode(), "the encoding 'x-mac'"),
        (b'date,amount\n2026-01-02,"1.00', "line 2: not a record of a CSV file"),
        (b"date,amount\n2026-01-02," + b"9" * 5000 + b"\n", "line 2: "),
        (b"date,amount\n2026-01-02," + b"9" * 16 + b"\n", "more than 15 digits before"),
        (b"date,amount\n2026-01-02,0.123456\n", "or 5 after the point"),
        (b"date,amount\n2026-01-02,NaN\n", "not an amount"),
        (b"date,amount\n2026-01-02,1e9\n", "not an amount"),
        ("date,amount\n2026-01-02,\u0661\u0662\n".encode(), "not an amount"),
        (b"date,amount\n" + b"," * 300 + b"\n", "301 columns"),
        (b"date,amount,text\n2026-01-02,1.00," + b"x" * 10_001 + b"\n", "10,001 characters"),
        (b"just a letter to the bank\n", "as CSV no row with the names"),
    ],
)
def test_what_is_no_statement(data: bytes, words: str) -> None:
    assert words in refused(data).message


def test_messages_stay_short_and_printable() -> None:
    error = refused(b"date,amount\n2026-01-02,\x1b[31m" + b"x" * 1000 + b"\n")
    assert len(error.message) < 200
    assert error.message.isprintable()


def test_texts_lose_control_characters() -> None:
    file = read_statements(b"date,amount,text\n2026-01-02,1.00,a\x1b[2Jb\x07  c\n")
    assert file.statements[0].lines[0].text == "a [2Jb c"


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation_is_refused_or_loses_nothing(name: str) -> None:
    """A file cut off anywhere is never taken for one with fewer lines, where the format has an end or counts."""
    data = sample(WRITERS[name], 3)
    whole = read_statements(data)
    for size in range(len(data)):
        try:
            cut = read_statements(data[:size])
        except LedgerError:
            continue
        if name not in {"CSV", "MT942"}:  # these may end after any line; the formats say nothing of their end
            assert _facts(cut) == _facts(whole), size


def _facts(file: StatementFile) -> list[tuple[str, list[Decimal]]]:
    return [(statement.account, [line.amount for line in statement.lines]) for statement in file.statements]


def _check_refusal(error: LedgerError) -> None:
    assert error.reason is Reason.INVALID_ARGUMENT
    assert len(error.message) < 1000


def _whole(data: bytes) -> None:
    """Read it: a refusal as it has to be, or a file in which all holds that a reader relies on."""
    try:
        file = read_statements(data)
    except LedgerError as error:
        _check_refusal(error)
        return
    assert file.statements
    for statement in file.statements:
        for line in statement.lines:
            assert isinstance(line.amount, Decimal)
            assert line.amount.is_finite()
            assert 1900 <= line.booking_date.year < 2200
            assert line.line >= 1
            assert line.raw


@given(st.binary(max_size=2_000))
def test_arbitrary_bytes(data: bytes) -> None:
    _whole(data)


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32), lines=st.integers(0, 6))
@settings(max_examples=400)
def test_damaged_files(name: str, seed: int, lines: int) -> None:
    _whole(damage(sample(WRITERS[name], lines), Random(seed)))


BOOKINGS = st.lists(
    st.builds(
        Booking,
        st.dates(date(2000, 1, 1), date(2079, 12, 31)),
        st.decimals(-10_000_000, 10_000_000, places=2).map(lambda amount: amount or Decimal("0.00")),
        st.text("ABCDEFGHIJ0123456789", min_size=1, max_size=16),
        st.text("abcdefghij KLMNOP&<>.'", min_size=1, max_size=60).map(str.strip).filter(bool),
    ),
    min_size=1,
    max_size=12,
)


@given(name=st.sampled_from(NAMES), opening=st.decimals(-10_000, 10_000, places=2), bookings=BOOKINGS)
def test_round_trip(name: str, opening: Decimal, bookings: list[Booking]) -> None:
    """What was written is what is read."""
    file = read_statements(WRITERS[name](opening, bookings).encode())
    (statement,) = file.statements
    assert (file.format, file.warnings) == (name, ())
    assert [str(line.amount) for line in statement.lines] == [str(booking.amount) for booking in bookings]
    assert [line.value_date for line in statement.lines] == [booking.day for booking in bookings]
    assert [line.references for line in statement.lines] == [(booking.reference,) for booking in bookings]
    assert [line.text for line in statement.lines] == [" ".join(booking.text.split()) for booking in bookings]
    if statement.closing is not None:
        assert statement.closing.amount == opening + total(bookings)
    if statement.opening is not None:
        assert statement.opening.amount == opening
