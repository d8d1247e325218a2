"""Forms with a file, as browsers send them and as they should not be sent."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway.errors import HttpError
from ledger_service.gateway.multipart import MultipartForm, MultipartLimits
from ledger_service.gateway.requests import ClientGoneError, Headers
from tests.helpers.statement_files import damage

KNOWN = ("accountId", "mapping")
TYPE = b"multipart/form-data; boundary=XX"


def headers(kind: bytes | None = TYPE, length: int | None = None, encoding: bytes | None = None) -> Headers:
    return Headers(None, kind, length, encoding, None, None, has_body=True)


def part(name: str, content: bytes, more: str = "", disposition: str | None = None) -> bytes:
    said = f'form-data; name="{name}"' if disposition is None else disposition
    return f"--XX\r\nContent-Disposition: {said}\r\n{more}\r\n".encode() + content + b"\r\n"


END = b"--XX--\r\n"
FILE = part("file", b"a,b\r\n1,2\r\n", "Content-Type: text/csv\r\n", 'form-data; name="file"; filename="a.csv"')


def receiver(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def sent(*pieces: bytes) -> Any:
    last = len(pieces) - 1
    return receiver(
        *({"type": "http.request", "body": piece, "more_body": at < last} for at, piece in enumerate(pieces))
    )


async def read(
    *pieces: bytes, receive: Any = None, most: int = 1_000, kind: bytes = TYPE
) -> tuple[dict[str, str], bytes]:
    form = MultipartForm(headers(kind), receive or sent(*pieces), KNOWN, MultipartLimits(most, 60))
    content = b"".join([chunk async for chunk in form.file()])
    return form.fields, content


async def misread(*pieces: bytes) -> str:
    with pytest.raises(LedgerError) as caught:
        await read(*pieces)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    assert caught.value.message.startswith(caught.value.metadata["field"])
    return caught.value.message


WHOLE = part("accountId", b"acc_1") + part("mapping", '{"a": "\u00e9"}'.encode()) + FILE + END


async def test_fields_and_the_file_behind_them() -> None:
    assert await read(WHOLE) == ({"accountId": "acc_1", "mapping": '{"a": "\u00e9"}'}, b"a,b\r\n1,2\r\n")


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_what_it_is_about_is_known_with_the_first_of_the_file(size: int) -> None:
    form = MultipartForm(
        headers(), sent(*(WHOLE[at : at + size] for at in range(0, len(WHOLE), size))), KNOWN, MultipartLimits(99, 60)
    )
    assert (form.fields, form.file_name) == ({}, "")
    chunks = form.file()
    assert (await anext(chunks)).startswith(b"a")
    assert (form.fields, form.file_name) == ({"accountId": "acc_1", "mapping": '{"a": "\u00e9"}'}, "a.csv")
    assert all([chunk async for chunk in chunks])


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("", ""),
        ('; filename=""', ""),
        ('; filename="C:\\\\files\\\\june.xml"', "june.xml"),
        ('; filename="../../etc/passwd"', "passwd"),
        ('; filename="v\u00fdpis.csv"', "v\u00fdpis.csv"),
    ],
)
async def test_the_name_of_the_file(told: str, name: str) -> None:
    body = part("file", b"x", disposition=f'form-data; name="file"{told}') + END
    form = MultipartForm(headers(), sent(body), KNOWN, MultipartLimits(9, 60))
    assert [chunk async for chunk in form.file()] == [b"x"]
    assert form.file_name == name


async def test_cut_into_pieces_anywhere() -> None:
    expected = await read(WHOLE)
    assert await read(*(WHOLE[at : at + 1] for at in range(len(WHOLE)))) == expected
    for at in range(len(WHOLE)):
        assert await read(WHOLE[:at], WHOLE[at:]) == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=5))
def test_any_content_comes_through(content: bytes, cuts: list[int]) -> None:
    """Whatever is in the file, with what looks like its end among it, and however it is cut."""
    for inside in (content, b"\r\n--X" + content, content + b"\r\n--", content + b"\r"):
        if b"\r\n--XX" in b"\r\n" + inside:
            continue
        body = part("file", inside) + END
        places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        pieces = [body[start:end] for start, end in pairwise(places)]
        assert asyncio.run(read(*pieces)) == ({}, inside)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body: ends before its last boundary"),
        (WHOLE[:-6], "body: ends before its last boundary"),
        (FILE, "body: ends before its last boundary"),
        (b"--XX--", "file: is required"),
        (part("accountId", b"a") + END, "file: is required"),
        (FILE + FILE + END, "file: stands twice"),
        (FILE + part("mapping", b"") + END, "mapping: stands behind the file"),
        (FILE + part("nothing", b"") + END, "nothing: stands behind the file"),
        (part("mapping", b"") + part("mapping", b"") + FILE + END, "mapping: stands twice"),
        (part("accountid", b"a") + FILE + END, "accountid: is not a field here; did you mean accountId?"),
        (part("", b"a") + FILE + END, "body: is not a field here"),
        (part("\x1b[31m" + "x" * 100, b"a") + FILE + END, "\\x1b[31mxx"),
        (part("mapping", b"\xff") + FILE + END, "mapping: is not UTF-8"),
        (part("mapping", b"a\0b") + FILE + END, "mapping: must not contain NUL"),
        (part("mapping", b"a" * 16_385) + FILE + END, "mapping: has more than 16384 bytes"),
        (part("mapping", b"a", "Content-Type: text/plain; charset=utf-16\r\n") + FILE + END, "mapping: must be UTF-8"),
        (part("file", b"YQ==", "Content-Transfer-Encoding: base64\r\n") + END, "file: is sent as base64"),
        (part("", b"a", disposition="attachment; name=file") + END, "body: has a part without"),
        (part("", b"a", disposition="form-data") + END, "body: has a part without"),
        (b"--XX\r\n\r\na\r\n" + END, "body: has a part without"),
        (
            part("file", b"a", "Content-Disposition: form-data; name=mapping\r\n") + END,
            "two headers content-disposition",
        ),
        (b"--YY\r\n" + FILE, "body: is not well-formed"),
        (b'{"a": 1}', "body: is not well-formed"),
        (b"a preamble\r\n" + WHOLE, "body: is not well-formed"),
        (b"\r\n--XX\r\n" + WHOLE, "body: is not well-formed"),
        (b"--XX\r\nBad Header: 1\r\n\r\n", "body: is not well-formed"),
        (b"--XX\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(9)) + b"\r\n", "body: is not well-formed"),
        (b"--XX\r\nA: " + b"b" * 5_000 + b"\r\n\r\n", "body: is not well-formed"),
        (b"--XX\r\n" + b"A" * 5_000, "body: is not well-formed"),
    ],
)
async def test_what_is_refused(body: bytes, words: str) -> None:
    message = await misread(body)
    assert words in message
    assert message.isprintable()
    assert len(message) < 300
    # The same however it comes.
    assert await misread(*(body[at : at + 1] for at in range(len(body))), b"") == message


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_damaged_bodies(seed: int, size: int) -> None:
    """Read or refused, the same however it is cut."""
    body = damage(WHOLE, Random(seed))

    def outcome(*pieces: bytes) -> object:
        try:
            return asyncio.run(read(*pieces))
        except (LedgerError, HttpError) as error:
            return error.message if error.message.isprintable() else pytest.fail(repr(error.message))

    assert outcome(body) == outcome(*(body[at : at + size] for at in range(0, len(body), size)), b"")


@pytest.mark.parametrize(
    "kind",
    [
        None,
        b"",
        b"application/json",
        b"multipart/form-data",
        b"multipart/mixed; boundary=XX",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=" + b"x" * 71,
        b'multipart/form-data; boundary="a\r"',
        b"multipart/form-data; boundary=\xff",
    ],
)
def test_media_types(kind: bytes | None) -> None:
    with pytest.raises(HttpError) as caught:
        MultipartForm(headers(kind), sent(b""), KNOWN, MultipartLimits(1_000, 60))
    assert caught.value.status == 415


def test_compressed() -> None:
    with pytest.raises(HttpError) as caught:
        MultipartForm(headers(encoding=b"gzip"), sent(b""), KNOWN, MultipartLimits(1_000, 60))
    assert caught.value.status == 415


async def test_quoted_boundary() -> None:
    assert (await read(WHOLE, kind=b'Multipart/Form-Data; charset=utf-8; boundary="XX"'))[0]["accountId"] == "acc_1"


async def test_too_large() -> None:
    """At the byte, and long before all of it is there; or at once where the length says so."""
    assert (await read(part("file", bytes(1_000)) + END))[1] == bytes(1_000)
    for pieces in ((part("file", bytes(1_001)) + END,), (part("file", bytes(900)), bytes(99), b"xx")):
        with pytest.raises(HttpError) as caught:
            await read(*pieces, b"never asked for")
        assert (caught.value.status, caught.value.details) == (413, {"limit": 1_000})
    with pytest.raises(HttpError) as caught:
        MultipartForm(headers(length=10_000_000), sent(b""), KNOWN, MultipartLimits(1_000, 60))
    assert caught.value.status == 413


async def test_an_endless_end_is_too_large_as_well() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": WHOLE if not told else bytes(60_000), "more_body": not told.append(1)}

    told: list[int] = []
    with pytest.raises(HttpError) as caught:
        await read(receive=receive)
    assert caught.value.status == 413


async def test_a_slow_client() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("never")

    form = MultipartForm(headers(), receive, KNOWN, MultipartLimits(1_000, 0.02))
    with pytest.raises(HttpError) as caught:
        await anext(aiter(form.file()))
    assert (caught.value.status, caught.value.headers) == (408, ((b"connection", b"close"),))


async def test_a_client_that_leaves() -> None:
    with pytest.raises(ClientGoneError):
        await read(
            receive=receiver({"type": "http.request", "body": FILE, "more_body": True}, {"type": "http.disconnect"})
        )


async def test_pieces_are_handed_on_as_they_come() -> None:
    """Nothing is gathered: the file's first bytes are out before its last are in."""
    start, rest = part("file", b"first")[:-2], b"second\r\n" + END
    asked: list[bytes] = []

    async def receive() -> dict[str, Any]:
        asked.append([start, rest][len(asked)])
        return {"type": "http.request", "body": asked[-1], "more_body": len(asked) < 2}

    chunks = aiter(MultipartForm(headers(), receive, KNOWN, MultipartLimits(1_000, 60)).file())
    assert await anext(chunks) == b"first"
    assert asked == [start]
    assert b"".join([chunk async for chunk in chunks]) == b"second"
