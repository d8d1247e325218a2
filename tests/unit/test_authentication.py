"""Who a bearer token stands for, what is remembered of it and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from ledger_service.application.access import ALL_SCOPES, Scope, authorize, require
from ledger_service.application.authentication import (
    CACHE_SECONDS,
    MAX_TOKEN_CHARACTERS,
    Authenticator,
    token_hmac,
)
from ledger_service.application.json_web_tokens import MAX_TOKEN_CHARACTERS as MAX_JWT_CHARACTERS
from ledger_service.application.json_web_tokens import TokenRules, TokenVerifier
from ledger_service.application.ports import Unavailable
from ledger_service.application.verification_keys import SecretKey
from ledger_service.domain.errors import LedgerError, Reason
from tests.helpers.issuer import AUDIENCE, ISSUER, SECRET, claims, token

if TYPE_CHECKING:
    from ledger_service.application.ports import DirectoryStore

RULES = TokenRules(ISSUER, AUDIENCE, "idp", "ledger_entities", leeway_seconds=30, max_lifetime_seconds=7200)
PEPPER = "pepper"
TOKEN = "a-token-of-a-test-0123456789"
BOOTSTRAP = "bootstrap-0123456789abcdef"


@dataclass
class Credentials:
    """The table of credentials, with a count of the look-ups."""

    rows: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    bound: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: int = 0
    is_away: bool = False

    async def certificates(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """See DirectoryStore."""
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return [row for name, row in self.bound.items() if name in names]

    async def credential(self, token_hmac: bytes) -> dict[str, Any] | None:
        """See DirectoryStore."""
        self.asked += 1
        if self.is_away:
            raise Unavailable("away")
        return self.rows.get(token_hmac)


@dataclass
class World:
    """An authenticator, its credentials and its clock."""

    credentials: Credentials
    now: float = 1000.0
    takes_jwts: bool = True
    bootstrap: str = BOOTSTRAP
    wall: float = field(default_factory=lambda: datetime.now(UTC).timestamp())

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(
            cast("DirectoryStore", self.credentials),
            PEPPER,
            self.bootstrap,
            lambda: self.now,
            tokens=TokenVerifier(RULES, SecretKey(SECRET), lambda: self.wall) if self.takes_jwts else None,
            now=lambda: self.wall,
        )

    def add(self, token: str = TOKEN, **values: Any) -> dict[str, Any]:
        """A credential that may read and write everywhere, unless `values` say otherwise."""
        row = {"name": "a service", "scopes": ["read", "write"], "entity_ids": None, "revoked_time": None,
               "expire_time": None, **values}  # fmt: skip
        self.credentials.rows[token_hmac(token, PEPPER)] = row
        return row

    async def refused(self, header: str | None) -> LedgerError:
        """The refusal of a header."""
        with pytest.raises(LedgerError) as caught:
            await self.authenticator.authenticate(header)
        assert caught.value.reason is Reason.UNAUTHENTICATED
        return caught.value


@pytest.fixture
def world() -> World:
    return World(Credentials())


async def test_a_known_token(world: World) -> None:
    world.add(entity_ids=["one", "two"])
    principal = await world.authenticator.authenticate(f"Bearer {TOKEN}")
    assert principal.name == "a service"
    assert principal.scopes == {Scope.READ, Scope.WRITE}
    assert principal.entity_ids == {"one", "two"}


async def test_no_grants_are_not_all_grants(world: World) -> None:
    world.add(entity_ids=[])
    principal = await world.authenticator.authenticate(f"Bearer {TOKEN}")
    assert not principal.has_grant("one")
    world.add("another-token", entity_ids=None)
    assert (await world.authenticator.authenticate("Bearer another-token")).has_grant("one")


@pytest.mark.parametrize("header", [f"bearer {TOKEN}", f"BEARER {TOKEN}", f"Bearer  {TOKEN}", f"Bearer {TOKEN} "])
async def test_the_scheme_in_any_case(world: World, header: str) -> None:
    world.add()
    assert (await world.authenticator.authenticate(header)).name == "a service"


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}", f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}", f"Bearer {TOKEN}\u00e9", "Bearer " + "x" * 100_000,
    ],
)  # fmt: skip
async def test_everything_else_is_refused(world: World, header: str | None) -> None:
    world.add()
    error = await world.refused(header)
    assert TOKEN not in error.message


async def test_the_longest_token(world: World) -> None:
    for length, is_known in ((MAX_TOKEN_CHARACTERS, True), (MAX_TOKEN_CHARACTERS + 1, False)):
        token = "t" * length
        world.add(token)
        if is_known:
            await world.authenticator.authenticate(f"Bearer {token}")
        else:
            await world.refused(f"Bearer {token}")
    assert world.credentials.asked == 1, "what can't be a token is no reason to ask the database"


async def test_the_bootstrap_token_may_do_all_and_needs_no_database(world: World) -> None:
    world.credentials.is_away = True
    principal = await world.authenticator.authenticate(f"Bearer {BOOTSTRAP}")
    assert principal.scopes == ALL_SCOPES
    assert principal.entity_ids is None


async def test_without_a_bootstrap_token_none_is_taken() -> None:
    authenticator = Authenticator(cast("DirectoryStore", Credentials()), PEPPER, None, lambda: 0.0)
    for header in ("Bearer None", "Bearer", f"Bearer {BOOTSTRAP}"):
        with pytest.raises(LedgerError):
            await authenticator.authenticate(header)


async def test_the_pepper_makes_other_tokens_of_the_same_text() -> None:
    assert token_hmac(TOKEN, "a") != token_hmac(TOKEN, "b")
    assert TOKEN.encode() not in token_hmac(TOKEN, "")


async def test_a_token_is_remembered_for_a_short_while(world: World) -> None:
    row = world.add()
    header = f"Bearer {TOKEN}"
    await world.authenticator.authenticate(header)
    row["revoked_time"] = datetime.now(UTC)
    world.now += CACHE_SECONDS - 0.001
    await world.authenticator.authenticate(header)
    assert world.credentials.asked == 1
    world.now += 0.001
    assert "revoked" in (await world.refused(header)).message
    await world.refused(header)
    assert world.credentials.asked == 3, "a refusal is not remembered: a new token works at once"


async def test_an_expired_token_is_refused_even_from_memory(world: World) -> None:
    world.add(expire_time=datetime.fromtimestamp(world.wall + 3600, UTC))
    header = f"Bearer {TOKEN}"
    await world.authenticator.authenticate(header)
    world.wall += 3599
    await world.authenticator.authenticate(header)
    assert world.credentials.asked == 1
    world.wall += 1
    assert "expired" in (await world.refused(header)).message


async def test_what_is_known_to_have_expired_is_refused_whoever_is_away(world: World) -> None:
    """Otherwise a watch, which goes on while nobody can be asked, would outlive its credential."""
    world.add(expire_time=datetime.fromtimestamp(world.wall + 60, UTC))
    assert await world.authenticator.authenticate(f"Bearer {TOKEN}")
    world.credentials.is_away = True
    world.now += CACHE_SECONDS
    with pytest.raises(Unavailable):
        await world.authenticator.authenticate(f"Bearer {TOKEN}")
    world.wall += 60
    await world.refused(f"Bearer {TOKEN}")


async def test_a_database_that_is_away_is_not_a_refusal(world: World) -> None:
    world.add()
    world.credentials.is_away = True
    with pytest.raises(Unavailable):
        await world.authenticator.authenticate(f"Bearer {TOKEN}")
    world.credentials.is_away = False
    await world.authenticator.authenticate(f"Bearer {TOKEN}")


async def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger_service.application.authentication._CACHE_SIZE", 3)
    for number in range(10):
        world.add(f"token-{number}")
        await world.authenticator.authenticate(f"Bearer token-{number}")
        assert len(world.authenticator._known) <= 3


async def test_what_a_principal_may(world: World) -> None:
    world.add(entity_ids=["one"])
    principal = await world.authenticator.authenticate(f"Bearer {TOKEN}")
    authorize(principal, "CreateTransaction", "one")
    for scope, entity_id in ((Scope.ADMIN, "one"), (Scope.READ, "two"), (Scope.ADMIN, None)):
        with pytest.raises(LedgerError) as caught:
            require(principal, scope, entity_id)
        assert caught.value.reason is Reason.PERMISSION_DENIED
        assert caught.value.metadata == {"scope": scope.value}
    messages = set()
    for stranger in ("two", "nobody"):
        with pytest.raises(LedgerError) as caught:
            authorize(principal, "GetEntity", stranger)
        messages.add(caught.value.message)
    assert len(messages) == 1, "another's id answers as a random one"


def jwt_of(world: World, **changes: Any) -> str:
    return f"Bearer {token(SECRET.encode(), claims(world.wall, **changes), 'HS256')}"


async def test_a_jwt_needs_no_database(world: World) -> None:
    world.credentials.is_away = True
    principal = await world.authenticator.authenticate(jwt_of(world, ledger_entities=["acme"]))
    assert (principal.name, principal.entity_ids) == ("jwt:idp:ann", {"acme"})


async def test_a_jwt_is_verified_once_and_not_beyond_its_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    header = jwt_of(world, exp=world.wall + 10)
    first = await world.authenticator.authenticate(header)
    assert await world.authenticator.authenticate(header) is first, "from memory"
    world.wall += 10
    again = await world.authenticator.authenticate(header)
    assert again == first
    assert again is not first, "within the leeway, but verified each time"
    world.wall += 30
    assert "expired" in (await world.refused(header)).message


async def test_a_jwt_is_verified_again_after_a_while(world: World) -> None:
    header = jwt_of(world)
    first = await world.authenticator.authenticate(header)
    world.now += CACHE_SECONDS - 0.001
    assert await world.authenticator.authenticate(header) is first
    world.now += 0.001
    assert await world.authenticator.authenticate(header) is not first


async def test_where_no_jwts_are_taken() -> None:
    world = World(Credentials(), takes_jwts=False)
    assert "no JWTs" in (await world.refused(jwt_of(world))).message
    assert world.credentials.asked == 0


async def test_the_longest_jwt(world: World) -> None:
    await world.authenticator.authenticate(jwt_of(world, padding="x" * 5_000))
    for length in (MAX_JWT_CHARACTERS, 100_000):
        await world.refused(jwt_of(world, padding="x" * length))


async def test_a_bootstrap_token_may_look_like_a_jwt() -> None:
    world = World(Credentials(), bootstrap="eyJ.with.dots-0123456789")
    assert (await world.authenticator.authenticate("Bearer eyJ.with.dots-0123456789")).name == "bootstrap"
    await world.refused("Bearer eyJ.with.dots-0123456780")


def bind(world: World, name: str, **values: Any) -> dict[str, Any]:
    row = {"name": f"cert:{name}", "scopes": ["read"], "entity_ids": ["acme"], "revoked_time": None,
           "expire_time": None, **values}  # fmt: skip
    world.credentials.bound[name] = row
    return row


async def test_a_certificate(world: World) -> None:
    bind(world, "spiffe://acme/billing")
    names = ("host.example", "spiffe://acme/billing")
    principal = await world.authenticator.authenticate(None, names)
    assert (principal.name, principal.scopes, principal.entity_ids) == (
        "cert:spiffe://acme/billing", {Scope.READ}, {"acme"},
    )  # fmt: skip
    assert await world.authenticator.authenticate(None, names) is principal
    assert world.credentials.asked == 1
    world.credentials.bound.clear()
    world.now += CACHE_SECONDS
    with pytest.raises(LedgerError, match="no credential stands for"):
        await world.authenticator.authenticate(None, names)


@pytest.mark.parametrize("names", [(), ("stranger.example",)])
async def test_a_certificate_that_nobody_knows(world: World, names: tuple[str, ...]) -> None:
    bind(world, "host.example")
    with pytest.raises(LedgerError, match="--certificate-san") as caught:
        await world.authenticator.authenticate(None, names)
    assert caught.value.reason is Reason.UNAUTHENTICATED


async def test_a_certificate_with_two_meanings(world: World) -> None:
    bind(world, "a.example")
    bind(world, "b.example")
    with pytest.raises(LedgerError, match="several"):
        await world.authenticator.authenticate(None, ("a.example", "b.example"))


async def test_a_certificate_whose_term_is_over(world: World) -> None:
    bind(world, "a.example", expire_time=datetime.fromtimestamp(world.wall, UTC))
    with pytest.raises(LedgerError, match="expired"):
        await world.authenticator.authenticate(None, ("a.example",))


async def test_a_token_wins_over_a_certificate_also_when_it_is_refused(world: World) -> None:
    bind(world, "a.example")
    world.add()
    assert (await world.authenticator.authenticate(f"Bearer {TOKEN}", ("a.example",))).name == "a service"
    with pytest.raises(LedgerError, match="not known"):
        await world.authenticator.authenticate("Bearer something-else", ("a.example",))
    with pytest.raises(LedgerError, match="malformed"):
        await world.authenticator.authenticate("", ("a.example",))


async def test_no_token_lies_in_memory(world: World) -> None:
    world.add()
    for header in (f"Bearer {TOKEN}", f"Bearer {BOOTSTRAP}", jwt_of(world)):
        await world.authenticator.authenticate(header)
        assert header.split(" ")[1] not in repr(vars(world.authenticator))
