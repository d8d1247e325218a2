"""Which published keys are used, and when they are asked for anew."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_service.application.verification_keys import (
    MAX_KEYS,
    MIN_REFRESH_SECONDS,
    REFRESH_SECONDS,
    IssuerKeys,
    KeysUnavailableError,
    read_key_set,
)
from ledger_service.domain.errors import LedgerError, Reason
from tests.helpers.issuer import ec_key, ed_key, jwk, key_set, rsa_key

GOOD = jwk(rsa_key(), "good")
MAX_STALE = 1000.0


@pytest.mark.parametrize(
    ("key", "algorithm"), [(rsa_key(), "RS256"), (ec_key(), "ES256"), (ed_key(), "EdDSA")], ids=["rsa", "ec", "ed"]
)
@pytest.mark.parametrize(
    "more", [{}, {"use": "sig"}, {"key_ops": ["verify"]}, {"use": "sig", "key_ops": ["sign", "verify"]}]
)
def test_a_key_has_the_algorithm_of_its_type(key: Any, algorithm: str, more: dict[str, Any]) -> None:
    for named in ({}, {"alg": algorithm}):
        found = read_key_set(key_set(jwk(key, "k", **more, **named)))
        assert found.by_kid["k"].algorithm == algorithm
        assert found.only == found.by_kid["k"]


UNUSABLE: dict[str, Any] = {
    "other_alg": jwk(rsa_key(), "k", alg="RS512"),
    "pss": jwk(rsa_key(), "k", alg="PS256"),
    "encryption_alg": jwk(rsa_key(), "k", alg="RSA-OAEP"),
    "alg_of_a_secret": jwk(rsa_key(), "k", alg="HS256"),
    "alg_none": jwk(rsa_key(), "k", alg="none"),
    "ec_says_rsa": jwk(ec_key(), "k", alg="RS256"),
    "for_encryption": jwk(rsa_key(), "k", use="enc"),
    "for_signing_only": jwk(rsa_key(), "k", key_ops=["sign"]),
    "key_ops_no_list": jwk(rsa_key(), "k", key_ops="verify"),
    "small_rsa": jwk(rsa_key("small", 1024), "k"),
    "other_curve": jwk(ec_key("p384", "P-384"), "k"),
    "secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"},
    "private": {**jwk(ed_key(), "k"), "d": "AAAA"},
    "ed448": {"kty": "OKP", "crv": "Ed448", "x": "AAAA", "kid": "k"},
    "no_type": {"kid": "k"},
    "list_type": {"kty": ["RSA"], "kid": "k"},
    "kid_number": {**jwk(rsa_key()), "kid": 1},
    "kid_empty": jwk(rsa_key(), kid=""),
    "kid_long": jwk(rsa_key(), kid="x" * 201),
    "members_missing": {"kty": "RSA", "n": "AQAB", "kid": "k"},
    "members_wrong": {"kty": "EC", "crv": "P-256", "x": 1, "y": None, "kid": "k"},
    "not_on_the_curve": {**jwk(ec_key(), "k"), "x": "AAAA"},
    "text": "key",
    "nothing": None,
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE)
def test_keys_that_are_left_out(entry: Any) -> None:
    assert list(read_key_set(key_set(entry, GOOD)).by_kid) == ["good"]
    with pytest.raises(KeysUnavailableError, match="no usable key"):
        read_key_set(key_set(entry))


def test_two_keys_of_one_name_are_none() -> None:
    found = read_key_set(key_set(jwk(rsa_key(), "twice"), jwk(ec_key(), "twice"), GOOD))
    assert list(found.by_kid) == ["good"]
    assert found.only is None, "there is more than one key"


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b"[]", b"null", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 100_000, key_set(),
     key_set(*[GOOD] * (MAX_KEYS + 1)), b"<html>"],
)  # fmt: skip
def test_documents_that_are_no_key_set(document: bytes) -> None:
    with pytest.raises(KeysUnavailableError):
        read_key_set(document)


MEMBERS = st.sampled_from(["keys", "kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "RSA"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(MEMBERS, inner),
)


@given(JSON)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for document in (value, {"keys": value}, {"keys": [value, {"kty": "RSA", "n": value, "e": value}]}):
        try:
            read_key_set(json.dumps(document).encode())
        except KeysUnavailableError:
            continue


@dataclass
class Issuer:
    """A key set, and how often it was read; reads wait while `hold` is set."""

    keys: list[str] = field(default_factory=lambda: ["k1"])
    is_away: bool = False
    asked: int = 0
    hold: asyncio.Event | None = None

    async def read(self) -> bytes:
        """See KeyDocument."""
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.is_away:
            raise KeysUnavailableError("away")
        return key_set(*(jwk(ed_key(kid), kid) for kid in self.keys))


@dataclass
class World:
    """Keys of an issuer, with a clock."""

    issuer: Issuer = field(default_factory=Issuer)
    now: float = 50.0

    def __post_init__(self) -> None:
        self.keys = IssuerKeys(self.issuer, MAX_STALE, lambda: self.now)

    async def settled(self) -> None:
        """Let a request in the background end."""
        for _ in range(5):
            await asyncio.sleep(0)


async def test_asked_once_for_many() -> None:
    world = World(Issuer(hold=asyncio.Event()))
    assert world.issuer.hold is not None
    waiting = [asyncio.create_task(world.keys.find("k1")) for _ in range(50)]
    await world.settled()
    waiting[0].cancel()
    await world.settled()
    world.issuer.hold.set()
    assert all(await asyncio.gather(*waiting[1:])), "one caller that goes away takes nothing from the others"
    assert world.issuer.asked == 1


async def test_an_unknown_key_asks_again_but_not_too_often() -> None:
    world = World()
    assert await world.keys.find("k1")
    assert await world.keys.find("k2") is None
    assert world.issuer.asked == 1, "asked just now"
    world.issuer.keys = ["k1", "k2"]
    world.now += MIN_REFRESH_SECONDS - 0.001
    assert await world.keys.find("k2") is None
    world.now += 0.001
    assert await world.keys.find("k2")
    assert world.issuer.asked == 2
    for number in range(100):
        assert await world.keys.find(f"made-up-{number}") is None
    assert world.issuer.asked == 2


async def test_a_key_that_is_withdrawn_is_gone_after_the_refresh() -> None:
    world = World()
    assert await world.keys.find("k1")
    world.issuer.keys = ["k2"]
    world.now += REFRESH_SECONDS
    assert await world.keys.find("k1"), "used on while the new ones are asked for"
    await world.settled()
    assert await world.keys.find("k1") is None
    assert await world.keys.find("k2")
    assert world.issuer.asked == 2


async def test_a_key_that_was_withdrawn_while_nobody_asked_is_not_good_once_more() -> None:
    world = World()
    assert await world.keys.find("k1")
    world.issuer.keys = ["k2"]
    world.issuer.hold = asyncio.Event()
    world.now += MAX_STALE - 1
    asking = [asyncio.create_task(world.keys.find("k1")) for _ in range(3)]
    await world.settled()
    assert not any(one.done() for one in asking)
    world.issuer.hold.set()
    assert await asyncio.gather(*asking) == [None] * 3
    assert world.issuer.asked == 2


async def test_nobody_waits_again_and_again_for_an_issuer_that_is_away() -> None:
    world = World()
    assert await world.keys.find("k1")
    world.issuer.is_away = True
    world.now += REFRESH_SECONDS
    assert await world.keys.find("k1")
    await world.settled()
    world.issuer.hold = asyncio.Event()
    for _ in range(10):
        world.now += MIN_REFRESH_SECONDS
        assert await asyncio.wait_for(world.keys.find("k1"), 5)
    world.issuer.hold.set()
    await world.settled()


async def test_old_keys_are_good_while_the_issuer_is_away_and_not_for_ever() -> None:
    world = World()
    assert await world.keys.find("k1")
    world.issuer.is_away = True
    world.now += MAX_STALE
    assert await world.keys.find("k1")
    await world.settled()
    assert world.issuer.asked == 2
    world.now += MIN_REFRESH_SECONDS
    with pytest.raises(LedgerError) as caught:
        await world.keys.find("k1")
    assert caught.value.reason is Reason.AUTHENTICATION_UNAVAILABLE
    world.issuer.is_away = False
    world.now += MIN_REFRESH_SECONDS
    assert await world.keys.find("k1")


async def test_an_issuer_that_was_never_there() -> None:
    world = World(Issuer(is_away=True))
    await world.keys.prepare()
    for _ in range(3):
        with pytest.raises(LedgerError) as caught:
            await world.keys.find("k1")
        assert caught.value.reason is Reason.AUTHENTICATION_UNAVAILABLE
    assert world.issuer.asked == 1
    world.issuer.is_away = False
    world.now += MIN_REFRESH_SECONDS
    assert await world.keys.find("k1")


async def test_a_document_that_is_none_leaves_the_old_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    assert await world.keys.find("k1")
    world.issuer.keys = []
    world.now += REFRESH_SECONDS
    assert await world.keys.find("k1")
    await world.settled()
    assert world.issuer.asked == 2
    assert await world.keys.find("k1")


async def test_stopping_ends_a_request() -> None:
    world = World(Issuer(hold=asyncio.Event()))
    waiting = asyncio.create_task(world.keys.find("k1"))
    await world.settled()
    await world.keys.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
