"""JSON is read exactly: what is ambiguous, lossy or can't be kept is refused by name."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.gateway.json_text import MAX_DEPTH, Number, plain_decimal, plain_value, read
from ledger_service.gateway.outgoing import write_json


def refused(body: bytes) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        read(body)
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    return caught.value


def test_numbers_stay_what_they_were_written_as() -> None:
    value = read(b'{"a": 250.00, "b": 12345678901234567.89, "c": 1e2, "d": -0}')
    assert value == {"a": "250.00", "b": "12345678901234567.89", "c": "1e2", "d": "-0"}
    assert isinstance(value, dict)
    assert all(type(one) is Number for one in value.values())


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (b'{"amount": 1, "amount": 2}', "amount", "stands twice"),
        (b'{"a": [{"b": 1}, {"b": 1, "b": 1}]}', "a[1].b", "stands twice"),
        (b'{"a": NaN}', "body", "NaN is no JSON"),
        (b'{"a": -Infinity}', "body", "-Infinity is no JSON"),
        (b"", "body", "is no JSON"),
        (b"{", "body", "at line 1, column 2"),
        (b"{} {}", "body", "is no JSON"),
        (b"\xef\xbb\xbf{}", "body", "byte order mark"),
        (b'{"a": "\xff"}', "body", "is not UTF-8 at byte 7"),
        ('{"a": "x"}'.encode("utf-16"), "body", "is not UTF-8"),
        (b'{"a": "\\u0000"}', "a", "NUL"),
        (b'{"a": {"b\\ud800": 1}}', "a.b\\ud800", "lone surrogates"),
        (b'{"a": ["x", "\\udfff"]}', "a[1]", "lone surrogates"),
        (b'{"a": "\x01"}', "body", "is no JSON"),
        (b'{"a": 01}', "body", "is no JSON"),
        (b'{"a": ' + b"9" * 65 + b"}", "body", "64 characters"),
        (b"[" * 33 + b"]" * 33, "body", "nested deeper than 32"),
        (b"[" * 100_000, "body", "nested deeper than 32"),
        (b'{"a":' * 500 + b'{"b": 1, "b": 2}' + b"}" * 500, "body", "nested deeper than 32"),
    ],
)
def test_what_is_no_exact_json(body: bytes, field: str, says: str) -> None:
    error = refused(body)
    assert error.metadata["field"] == field
    assert says in error.message
    assert error.message.isascii()


def test_surrogates_in_pairs_are_text() -> None:
    assert read(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_nesting_up_to_the_limit_is_read() -> None:
    assert read(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


@pytest.mark.parametrize(
    ("number", "plain"),
    [("250.00", "250.00"), ("25e1", "250"), ("1E2", "100"), ("2.5e-1", "0.25"), ("1e0", "1"), ("0e40", "0" * 1)],
)
def test_exponents_are_written_out(number: str, plain: str) -> None:
    assert plain_decimal(Number(number), "amount").lstrip("0") == plain.lstrip("0")


@pytest.mark.parametrize("number", ["1e41", "1e-41", "1e999999999", "1E+400"])
def test_exponents_are_bounded(number: str) -> None:
    with pytest.raises(LedgerError, match="out of range"):
        plain_decimal(Number(number), "amount")


@pytest.mark.parametrize("number", ["12345678901234567.89", "9007199254740993", "1e-40", "0.1000000000000000055"])
def test_numbers_of_metadata_that_no_double_holds(number: str) -> None:
    if number == "1e-40":
        assert plain_value(Number(number), "metadata") == 1e-40
        return
    with pytest.raises(LedgerError, match="send it as a string") as caught:
        plain_value({"a": [Number(number)]}, "metadata")
    assert caught.value.metadata["field"] == "metadata.a[0]"


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30).filter(
        lambda value: value == 0 or abs(value) > 1e-20
    )
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(value=_PLAIN)
def test_metadata_comes_through_as_it_is(value: object) -> None:
    assert plain_value(read(json.dumps(value).encode()), "metadata") == value


@given(body=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_is_sent_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(LedgerError):
        write_json(plain_value(read(body), "body"))
