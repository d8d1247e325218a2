"""What must be true of a JWT: each refusal by a token in which only that is wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.access import Principal, Scope
from ledger_service.application.json_web_tokens import MAX_GRANTS, MAX_TOKEN_CHARACTERS, TokenRules, TokenVerifier
from ledger_service.application.verification_keys import KeySet, SecretKey, VerificationKey, read_key_set
from ledger_service.domain.errors import LedgerError, Reason
from tests.helpers.issuer import (
    AUDIENCE,
    ISSUER,
    SECRET,
    claims,
    ec_key,
    ed_key,
    encoded,
    jwk,
    key_set,
    rsa_key,
    signing_key,
    token,
)

NOW = 1_800_000_000.0
RULES = TokenRules(
    issuer=ISSUER,
    audience=AUDIENCE,
    label="idp",
    entities_claim="ledger_entities",
    leeway_seconds=30,
    max_lifetime_seconds=7200,
)


class Published:
    """A key set that does not change."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def find(self, kid: str | None) -> VerificationKey | None:
        return self._keys.find(kid)

    async def stop(self) -> None: ...


def verifier(*keys: dict[str, Any], rules: TokenRules = RULES) -> TokenVerifier:
    keys = keys or (jwk(rsa_key(), "k1"), jwk(ec_key(), "k2"), jwk(ed_key(), "k3"))
    return TokenVerifier(rules, Published(read_key_set(key_set(*keys))), lambda: NOW)


def with_secret() -> TokenVerifier:
    return TokenVerifier(RULES, SecretKey(SECRET), lambda: NOW)


async def refused(text: str, door: TokenVerifier | None = None) -> str:
    with pytest.raises(LedgerError) as caught:
        await (door or verifier()).verify(text)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    return caught.value.message


async def test_what_a_good_token_gives() -> None:
    found = await verifier().verify(token(rsa_key(), claims(NOW)))
    assert found.principal == Principal("jwt:idp:ann", frozenset({Scope.READ, Scope.WRITE}), None)
    assert found.expires == NOW + 3600


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "k1"), ("ES256", "k2"), ("EdDSA", "k3")])
async def test_every_kind_of_key(algorithm: str, kid: str) -> None:
    text = token(signing_key(algorithm), claims(NOW), algorithm, kid=kid)
    assert (await verifier().verify(text)).principal.name == "jwt:idp:ann"
    head, body, signature = text.split(".")
    spoilt = base64.urlsafe_b64decode(signature + "==")
    assert "signature" in await refused(f"{head}.{body}.{encoded(spoilt[:-1] + bytes([spoilt[-1] ^ 1]))}")
    other = token(signing_key(algorithm, "another"), claims(NOW), algorithm, kid=kid)
    assert "signature" in await refused(other)
    assert "signature" in await refused(f"{head}.{encoded(json.dumps(claims(NOW, sub='eve')).encode())}.{signature}")


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT"])
async def test_types(typ: str) -> None:
    await verifier().verify(token(rsa_key(), claims(NOW), header={"typ": typ}))


@pytest.mark.parametrize("typ", [None, "", "id+jwt", "logout+jwt", 1, True, ["JWT"]])
async def test_other_types(typ: Any) -> None:
    assert "typ" in await refused(token(rsa_key(), claims(NOW), header={"typ": typ}))


async def test_the_secret() -> None:
    text = token(SECRET.encode(), claims(NOW), "HS256")
    assert (await with_secret().verify(text)).principal.name == "jwt:idp:ann"
    await with_secret().verify(token(SECRET.encode(), claims(NOW), "HS256", kid=None))
    assert "signature" in await refused(
        token(b"another secret of more than 32 bytes", claims(NOW), "HS256"), with_secret()
    )
    with pytest.raises(ValueError, match="32 bytes"):
        SecretKey("x" * 31)


# The algorithm is the key's.


@pytest.mark.parametrize("form", [Encoding.PEM, Encoding.DER])
async def test_a_public_key_is_no_secret(form: Encoding) -> None:
    """HS256 with the RSA key that everybody knows: the classic."""
    public = rsa_key().public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encoded(json.dumps({'typ': 'JWT', 'alg': 'HS256', 'kid': 'k1'}).encode())}."
    signed += encoded(json.dumps(claims(NOW)).encode())
    forged = f"{signed}.{encoded(hmac.digest(public, signed.encode(), hashlib.sha256))}"
    assert "alg" in await refused(forged)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
async def test_no_algorithm(algorithm: str) -> None:
    head = encoded(json.dumps({"typ": "JWT", "alg": algorithm, "kid": "k1"}).encode())
    body = encoded(json.dumps(claims(NOW)).encode())
    for signature in ("", "AA"):
        assert "alg" in await refused(f"{head}.{body}.{signature}")
        assert "alg" in await refused(f"{head}.{body}.{signature}", with_secret())


@pytest.mark.parametrize(
    "claimed", ["ES256", "EdDSA", "HS256", "RS384", "RS512", "PS256", None, 256, ["RS256"], "rs256"]
)
async def test_a_header_that_claims_another_algorithm(claimed: Any) -> None:
    assert "alg" in await refused(token(rsa_key(), claims(NOW), header={"alg": claimed}))


@pytest.mark.parametrize("kid", ["k2", "k3"])
async def test_a_key_of_another_kind(kid: str) -> None:
    assert "alg" in await refused(token(rsa_key(), claims(NOW), kid=kid))


async def test_asymmetric_tokens_where_a_secret_is_configured() -> None:
    assert "alg" in await refused(token(rsa_key(), claims(NOW)), with_secret())


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_a_token_brings_no_key(member: str) -> None:
    """A key in the header, or an address of one, is not looked at."""
    eve = rsa_key("eve")
    value = {"jwk": jwk(eve, "k1"), "x5c": ["AAAA"]}.get(member, "http://127.0.0.1:1/keys")
    assert "signature" in await refused(token(eve, claims(NOW), header={member: value}))
    assert "publish" in await refused(token(eve, claims(NOW), header={member: value}, kid="eve"))


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}])
async def test_headers_that_change_the_meaning(header: dict[str, Any]) -> None:
    await refused(token(rsa_key(), claims(NOW), header=header))


# Which key.


async def test_unknown_key() -> None:
    assert "does not publish" in await refused(token(rsa_key(), claims(NOW), kid="k9"))


async def test_no_kid_is_good_for_a_set_of_one() -> None:
    text = token(rsa_key(), claims(NOW), kid=None)
    assert "exactly one" in await refused(text)
    await verifier(jwk(rsa_key(), "k1")).verify(text)
    await verifier(jwk(rsa_key())).verify(text)


@pytest.mark.parametrize("kid", ["", "x" * 201, 1, ["k1"], {"k": 1}, True])
async def test_kids_that_are_none(kid: Any) -> None:
    await refused(token(rsa_key(), claims(NOW), header={"kid": kid}))


# Claims, each wrong by itself.

WRONG: dict[str, dict[str, Any]] = {
    "no_exp": {"exp": None}, "no_iat": {"iat": None}, "no_iss": {"iss": None}, "no_aud": {"aud": None},
    "no_sub": {"sub": None},
    "text_exp": {"exp": str(int(NOW) + 60)}, "text_iat": {"iat": str(int(NOW))}, "text_nbf": {"nbf": str(int(NOW))},
    "bool_exp": {"exp": True}, "bool_iat": {"iat": True}, "bool_nbf": {"nbf": False}, "list_exp": {"exp": [NOW]},
    "nan_exp": {"exp": float("nan")}, "infinite_exp": {"exp": float("inf")}, "huge_exp": {"exp": 10**400},
    "negative_iat": {"iat": -1}, "far_exp": {"exp": 10**15},
    "expired": {"iat": NOW - 3600, "exp": NOW - 30},
    "future_iat": {"iat": NOW + 31}, "future_nbf": {"nbf": NOW + 31},
    "exp_before_iat": {"iat": NOW + 20, "exp": NOW + 10}, "exp_at_iat": {"iat": NOW, "exp": NOW},
    "too_long": {"exp": NOW + 7201}, "old_and_long": {"iat": NOW - 7000, "exp": NOW + 3600},
    "other_iss": {"iss": ISSUER + "/"}, "iss_list": {"iss": [ISSUER]}, "iss_case": {"iss": ISSUER.upper()},
    "other_aud": {"aud": "other"}, "aud_part": {"aud": AUDIENCE + "-2"}, "aud_number": {"aud": 1},
    "aud_empty": {"aud": []}, "aud_mixed": {"aud": [AUDIENCE, 1]}, "aud_object": {"aud": {AUDIENCE: True}},
    "sub_empty": {"sub": ""}, "sub_number": {"sub": 1}, "sub_long": {"sub": "x" * 201}, "sub_control": {"sub": "a\nb"},
    "sub_nul": {"sub": "a\0"}, "sub_blank": {"sub": " ann"}, "sub_surrogate": {"sub": "\ud800"},
    "scope_list": {"scope": ["read"]}, "scope_number": {"scope": 1}, "scp_mixed": {"scope": None, "scp": ["read", 1]},
    "scopes_object": {"scope": None, "scopes": {"read": True}},
    "entities_text": {"ledger_entities": "acme"}, "entities_number": {"ledger_entities": 1},
    "entities_mixed": {"ledger_entities": ["acme", 1]}, "entities_star_in_list": {"ledger_entities": ["*"]},
    "entities_object": {"ledger_entities": {"acme": 1}}, "entities_true": {"ledger_entities": True},
    "entities_many": {"ledger_entities": ["e"] * (MAX_GRANTS + 1)},
}  # fmt: skip


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
async def test_claims_that_are_wrong(changes: dict[str, Any]) -> None:
    message = await refused(token(rsa_key(), claims(NOW, **changes)))
    named = [name for name in changes if name in message]
    assert named or "expired" in message or "JSON" in message, message


GOOD: dict[str, dict[str, Any]] = {
    "fraction": {"exp": NOW + 60.5, "iat": NOW - 0.5},
    "within_the_leeway": {"iat": NOW + 30, "nbf": NOW + 30},
    "just_expired": {"iat": NOW - 60, "exp": NOW - 29},
    "longest": {"exp": NOW + 7200},
    "aud_list": {"aud": ["other", AUDIENCE]},
    "others_claims": {"email": "a@b.example", "azp": 1, "nested": {"exp": "x"}},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
async def test_claims_that_are_right(changes: dict[str, Any]) -> None:
    assert (await verifier().verify(token(rsa_key(), claims(NOW, **changes)))).principal.name == "jwt:idp:ann"


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "read"}, {"read"}),
        ({"scope": "openid read ledger:write  approve"}, {"read", "approve"}),
        ({"scope": ""}, set()),
        ({"scope": None}, set()),
        ({"scope": None, "scp": ["read", "close", "openid"]}, {"read", "close"}),
        ({"scope": None, "scp": "read close"}, {"read", "close"}),
        ({"scope": None, "scopes": ["admin"]}, {"admin"}),
        ({"scope": "read", "scp": ["admin"], "scopes": ["admin"]}, {"read"}),
        ({"scope": "READ Admin"}, set()),
    ],
)
async def test_scopes(changes: dict[str, Any], scopes: set[str]) -> None:
    found = await verifier().verify(token(rsa_key(), claims(NOW, **changes)))
    assert {scope.value for scope in found.principal.scopes} == scopes


@pytest.mark.parametrize(
    ("value", "granted"),
    [("*", None), (None, frozenset()), ([], frozenset()), (["acme", "b"], frozenset({"acme", "b"}))],
)
async def test_grants(value: Any, granted: frozenset[str] | None) -> None:
    found = await verifier().verify(token(rsa_key(), claims(NOW, ledger_entities=value)))
    assert found.principal.entity_ids == granted


async def test_the_claim_for_grants_can_be_chosen() -> None:
    rules = replace(RULES, entities_claim="https://acme.example/tenants")
    door = verifier(rules=rules)
    changes: dict[str, Any] = {"https://acme.example/tenants": ["acme"], "ledger_entities": "*"}
    found = await door.verify(token(rsa_key(), claims(NOW, **changes)))
    assert found.principal.entity_ids == {"acme"}


@pytest.mark.parametrize("subject", ["bootstrap", "cert:x", "jwt:other:ann", "billing"])
async def test_a_subject_cannot_pass_for_another_caller(subject: str) -> None:
    found = await verifier().verify(token(rsa_key(), claims(NOW, sub=subject)))
    assert found.principal.name == f"jwt:idp:{subject}"


# Shapes.


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b'"text"', b"{", b"\xff", b'{"sub": "a", "sub": "b"}', b"[" * 100_000, b"1" * 5_000],
    ids=["empty", "list", "null", "text", "cut", "bytes", "twice", "deep", "number"],
)
async def test_payloads_that_are_no_claims(payload: bytes) -> None:
    await refused(token(rsa_key(), payload))


@pytest.mark.parametrize(
    "text", ["eyJ..", "eyJhbGciOiJSUzI1NiJ9..", "a.b.c", "eyJ" + "x" * MAX_TOKEN_CHARACTERS, "..", "eyJ"]
)
async def test_texts_that_are_no_tokens(text: str) -> None:
    await refused(text)


@given(st.text(alphabet="eyJ.abcXYZ019-_=\u00e9 ", max_size=60))
async def test_any_text_is_refused_and_nothing_else(text: str) -> None:
    await refused(text)


@given(st.data())
async def test_any_change_of_a_good_token_is_refused(data: st.DataObject) -> None:
    text = token(ed_key(), claims(NOW), "EdDSA", kid="k3")
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
    changed = text[:place] + letter + text[place + 1 :]
    try:
        found = await verifier().verify(changed)
    except LedgerError:
        return
    # base64 has spare bits at the end of a part: the token reads the same.
    assert [base64.urlsafe_b64decode(part + "==") for part in changed.split(".")] == [
        base64.urlsafe_b64decode(part + "==") for part in text.split(".")
    ]
    assert found.principal.name == "jwt:idp:ann"


async def test_messages_say_nothing_of_the_token() -> None:
    for changes in WRONG.values():
        text = token(rsa_key(), claims(NOW, **changes, marker="planted-7c1"))
        message = await refused(text)
        assert "planted" not in message
        assert text.split(".")[2] not in message
