"""From bytes to text: byte order marks, UTF-8, UTF-16, and the code page that Windows programs write."""

from __future__ import annotations

import codecs

from ledger_service.statements.refusal import refusal, shown

# UTF-32's mark begins with that of UTF-16, so it is looked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
ENCODINGS = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "cp1252",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "cp1250",
    "cp437",
    "cp850",
)
"""Encodings that may be asked for."""


def decode(data: bytes, encoding: str | None = None) -> str:
    """The text of a file with a line feed at the end of each row.

    Without `encoding`: what the byte order mark says, else UTF-8, else windows-1252. Refuses bytes that are neither,
    and NUL characters, which no statement has.
    """
    if encoding is not None and encoding not in ENCODINGS:
        raise refusal(0, f"the encoding {shown(encoding)} is not one of {', '.join(ENCODINGS)}")
    start, marked = next(((len(mark), name) for mark, name in _MARKS if data.startswith(mark)), (0, None))
    if marked == "":
        raise refusal(0, "it is in UTF-32; write it as UTF-8")
    body = data[start:] if start else data
    text = _decoded(body, encoding or marked)
    nul = text.find("\0")
    if nul >= 0:
        raise refusal(text.count("\n", 0, nul) + 1, "a NUL character; this is no text, or it is damaged")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decoded(data: bytes, encoding: str | None) -> str:
    candidates = (encoding,) if encoding else ("utf-8", "cp1252")
    failed_at = 0
    for name in candidates:
        try:
            return data.decode(name)
        except UnicodeDecodeError as error:
            failed_at = error.start
    line = data.count(b"\n", 0, failed_at) + 1
    raise refusal(line, f"the bytes are not {' and not '.join(candidates)}; name the encoding")
