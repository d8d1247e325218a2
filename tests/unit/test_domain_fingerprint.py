"""A digest of the meaning: same meaning, same digest; any other content, another one."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import assume, given
from hypothesis import strategies as st

from ledger_service.domain.fingerprint import DIGEST_BYTES, fingerprint

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)
values = st.one_of(
    st.text(max_size=5),
    st.integers(-3, 3),
    st.booleans(),
    st.none(),
    st.tuples(st.text(max_size=3), st.integers(0, 3)),
    st.just(MOMENT),
    st.just(MOMENT.isoformat()),
)
members = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)


def digest(content: dict[str, object]) -> bytes:
    """In the order of the names, as each method fixes one."""
    return fingerprint("Method", sorted(content.items()))


def meaning(content: dict[str, object]) -> list[tuple[str, object, type]]:
    """What counts: not the defaults; True and 1 are written differently."""
    return [(name, value, type(value)) for name, value in sorted(content.items()) if value]


@given(members, members)
def test_equal_exactly_when_the_content_is(one: dict[str, object], other: dict[str, object]) -> None:
    assert (digest(one) == digest(other)) == (meaning(one) == meaning(other))


@given(members)
def test_what_a_later_version_adds_with_a_default_changes_nothing(content: dict[str, object]) -> None:
    for default in (None, "", 0, False, ()):
        assert digest({**content, "d": default}) == digest(content)


@given(members)
def test_methods_are_told_apart(content: dict[str, object]) -> None:
    assume(meaning(content))
    assert fingerprint("A", content.items()) != fingerprint("B", content.items())


def test_separators_cannot_be_forged() -> None:
    assert digest({"a": "x\0b\0'y'"}) != digest({"a": "x", "b": "y"})
    assert digest({"a": "x'\0b\0'y"}) != digest({"a": "x", "b": "y"})


def test_a_lone_surrogate_is_digested_like_any_text() -> None:
    assert len(digest({"a": "\ud800"})) == DIGEST_BYTES
    assert digest({"a": "\ud800"}) != digest({"a": "\\ud800"})


def test_the_digest_stays_what_it_was() -> None:
    """Stored for ever: a change of the algorithm would refuse every retry across an upgrade."""
    content = (("postings", (("cash", 1, "USD", 100), ("wallet", 2, "USD", 100))), ("status", 3), ("at", MOMENT))
    assert fingerprint("CreateTransaction", content).hex() == "47dae022e3e4df5aae7e13164b8b1dbf"
