"""Names of callers that cannot be taken by others, and how keys look."""

from __future__ import annotations

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.api_keys import make_key, token_hmac
from ledger_service.application.callers import (
    LABEL,
    MAX_CERTIFICATE_NAMES,
    certificate_name,
    certificate_names,
    names_of_peer,
    why_not_a_key_name,
)


@pytest.mark.parametrize("name", ["billing", "a", "x" * 100, "Ann of accounts", "jwt", "certificate", "bootstrap-2"])
def test_names_of_keys(name: str) -> None:
    assert why_not_a_key_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "bootstrap", "Bootstrap", "BOOTSTRAP",
        "\uff42ootstrap", "jwt:idp:ann", "JWT:x", "\uff4awt:x", "jwt\uff1ax", "cert:a.example",
        "Cert:x", "", " a", "a ", "a\nb", "a\0", "x" * 101,
    ],
)  # fmt: skip
def test_names_that_others_have_or_nobody_can(name: str) -> None:
    assert why_not_a_key_name(name)


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_key_is_called_like_another_kind_of_caller(label: str, subject: str) -> None:
    assert why_not_a_key_name(f"jwt:{label}:{subject}")
    assert why_not_a_key_name(f"cert:{subject}")


@given(st.from_regex(LABEL, fullmatch=True), st.text(), st.from_regex(LABEL, fullmatch=True), st.text())
def test_two_issuers_subjects_never_meet(one: str, his: str, other: str, hers: str) -> None:
    assert (f"jwt:{one}:{his}" == f"jwt:{other}:{hers}") == ((one, his) == (other, hers))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("spiffe://acme/billing", "spiffe://acme/billing"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("Billing.Acme.example", "billing.acme.example"),
        ("billing.acme.example.", "billing.acme.example"),
        ("localhost", "localhost"),
        ("*.acme.example", None),
        ("", None), (".", None), ("a..b", None), ("a b", None), ("spiffe://a b", None), ("spiffe://\u00e9", None),
        ("b\u00e4nk.example", None), ("://x", None), ("x" * 256, None), ("a:" + "b" * 254, None), ("a\0b", None),
    ],
)  # fmt: skip
def test_names_in_certificates(text: str, kept: str | None) -> None:
    assert certificate_name(text) == kept


def test_a_dns_name_is_never_taken_for_a_uri() -> None:
    assert certificate_names(uris=["billing.example"], dns_names=["spiffe://acme/billing"]) == ()
    assert certificate_names(["spiffe://b", "spiffe://a"], ["Host", "host."]) == ("host", "spiffe://a", "spiffe://b")
    assert len(certificate_names([], [f"host-{n}" for n in range(100)])) == MAX_CERTIFICATE_NAMES


def test_names_of_what_ssl_gives() -> None:
    names = (("DNS", "a.example"), ("URI", "spiffe://a"), ("IP Address", "127.0.0.1"), ("email", "a@b.example"))
    assert names_of_peer({"subject": (), "subjectAltName": names}) == ("a.example", "spiffe://a")
    assert names_of_peer({"subject": ()}) == ()
    assert names_of_peer(None) is None
    assert names_of_peer({}) is None


def test_keys() -> None:
    made = [make_key(secrets.token_bytes) for _ in range(100)]
    for key in made:
        assert re.fullmatch(r"ledger_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", key.token)
        assert key.token.startswith(key.prefix + "_")
    assert len({key.token for key in made}) == len({key.prefix for key in made}) == 100


@given(st.binary(min_size=32, max_size=32))
def test_every_bit_of_the_secret_is_in_the_token(secret: bytes) -> None:
    given = make_key(lambda size: secret[:size])
    other = make_key(lambda size: (secret if size < 32 else secret[:31] + bytes([secret[31] ^ 1]))[:size])
    assert given.prefix == other.prefix
    assert given.token != other.token
    assert token_hmac(given.token, "") != token_hmac(other.token, "")
