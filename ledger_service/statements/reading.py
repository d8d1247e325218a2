"""A bank file, whatever its format: found by what is in it, never by its name."""

from __future__ import annotations

import re
from pathlib import Path

from ledger_service.domain.errors import LedgerError
from ledger_service.statements.bai2 import read_bai2
from ledger_service.statements.camt import NAMESPACE, read_camt
from ledger_service.statements.csv_mapping import CsvMapping
from ledger_service.statements.csv_reader import read_csv
from ledger_service.statements.decoding import decode
from ledger_service.statements.limits import MAX_FILE_BYTES
from ledger_service.statements.model import StatementFile
from ledger_service.statements.mt940 import read_swift
from ledger_service.statements.ofx import read_ofx
from ledger_service.statements.refusal import refusal

_LOOKED_AT = 8_192
_OFX = re.compile(rb"\s*(?:OFXHEADER\s*:|<OFX>|<\?OFX\b)", re.IGNORECASE)
_OFX_IN_XML = re.compile(rb"<\?OFX\b|<OFX>", re.IGNORECASE)
_SWIFT = re.compile(rb"(?:^|[\r\n]|\{4:\s*):20:", re.ASCII)
_BAI2 = re.compile(rb"\s*01,[^\r\n]*")
_OTHER = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet; unpack it, or save it as CSV"),
    (b"\x1f\x8b", "compressed (gzip); unpack it"),
    (b"BZh", "compressed (bzip2); unpack it"),
    (b"\xfd7zXZ", "compressed (xz); unpack it"),
    (b"%PDF", "a PDF; banks offer the same statement as camt.053, MT940 or CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet; save it as CSV"),
)


def read_statements(data: bytes, mapping: CsvMapping | None = None) -> StatementFile:
    """All that a bank file says, or nothing: a file is taken whole.

    `mapping` is for CSV files whose columns or styles can't be found by looking. What contradicts itself within the
    file is in `warnings` of the result.

    Raises LedgerError INVALID_ARGUMENT, with the line in its metadata, for a file that is too large, damaged, cut
    off, in no format that is read, or that may mean different things.
    """
    if len(data) > MAX_FILE_BYTES:
        raise too_large()
    for start, what in _OTHER:
        if data.startswith(start):
            raise refusal(0, f"it is {what}")
    if not data.strip(b"\r\n\t \xef\xbb\xbf\x00"):
        raise refusal(0, "it is empty")
    head = data[:_LOOKED_AT]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        # To look at; cut in the middle of a character, perhaps.
        head = head.decode("utf-16", "ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _OFX.match(head) or (head.lstrip().startswith(b"<?xml") and _OFX_IN_XML.search(head)):
        return read_ofx(data)
    if head.lstrip().startswith(b"<"):
        document = NAMESPACE.search(head)
        if document is None:
            raise refusal(0, "it is XML, but neither camt.053 nor camt.054 nor OFX")
        return read_camt(data, document.group(1).decode())
    if _SWIFT.search(head):
        return read_swift(decode(data))
    if _BAI2.match(head):
        return read_bai2(decode(data))
    told = mapping or CsvMapping()
    return read_csv(decode(data, told.encoding), told)


def read_file(path: str, mapping: CsvMapping | None = None) -> StatementFile:
    """The same of the file at `path`, of which not more is read than a file may have. Raises OSError as well."""
    with Path(path).open("rb") as opened:
        # One byte more than allowed is enough to refuse it.
        data = opened.read(MAX_FILE_BYTES + 1)
    return read_statements(data, mapping)


def too_large() -> LedgerError:
    """The refusal of a file that is larger than what is held in memory."""
    return refusal(0, f"larger than the {MAX_FILE_BYTES // 1024**2} MiB allowed; split it")
