"""Streams and watches end when their credential does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from ledger_service.application.access import ALL_SCOPES, Principal
from ledger_service.application.admission import Admission, AdmissionLimits
from ledger_service.application.long_calls import LongCall
from ledger_service.application.ports import Unavailable
from ledger_service.domain.errors import LedgerError, Reason

if TYPE_CHECKING:
    from ledger_service.application.authentication import Authenticator

ANN = Principal("ann", ALL_SCOPES, None)
ENDED = LedgerError(Reason.UNAUTHENTICATED, "revoked")


@dataclass
class Credential:
    """What the authenticator answers, one after the other; the last one for ever."""

    answers: list[Principal | Exception] = field(default_factory=lambda: [ANN])
    asked: int = 0

    async def authenticate(self, authorization: str | None, certificate: tuple[str, ...] | None = None) -> Principal:
        assert (authorization, certificate) == ("Bearer x", ("a.example",))
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def call_of(credential: Credential) -> LongCall:
    admission = Admission(cast("Authenticator", credential), AdmissionLimits(), lambda: 0.0, recheck_seconds=0.001)
    return LongCall(admission, ANN, "Bearer x", ("a.example",))


@dataclass
class Source:
    """Gives some numbers, then waits for ever; notes how it ended."""

    count: int
    is_endless: bool = True
    ended: list[str] = field(default_factory=list)

    async def numbers(self) -> AsyncIterator[int]:
        try:
            for number in range(self.count):
                yield number
            if self.is_endless:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        finally:
            self.ended.append("closed")


async def take(responses: AsyncIterator[int], into: list[int]) -> None:
    """Take all that comes."""
    async for number in responses:
        into.append(number)  # noqa: PERF401  # what came before an error is kept


async def test_a_call_that_waits_ends_with_its_credential() -> None:
    source = Source(3)
    seen: list[int] = []
    with pytest.raises(LedgerError) as caught:
        await take(call_of(Credential([ANN, ANN, ENDED])).outgoing(source.numbers()), seen)
    assert caught.value is ENDED
    assert seen == [0, 1, 2]
    assert source.ended == ["cancelled", "closed"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "whoever awaits next is not cancelled"
    await asyncio.sleep(0)


async def test_a_call_whose_caller_is_slow_ends_before_the_next_response() -> None:
    source = Source(1_000_000)
    credential = Credential([ANN, ENDED])
    responses = call_of(credential).outgoing(source.numbers())
    assert await anext(responses) == 0
    while credential.asked < 2:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    with pytest.raises(LedgerError):
        await anext(responses)
    assert source.ended == ["closed"]


async def test_requests_end_with_the_credential() -> None:
    call = call_of(Credential([ENDED]))
    source, answers = Source(10), Source(0)
    taking = call.incoming(source.numbers())
    assert await anext(taking) == 0
    with pytest.raises(LedgerError):
        await take(call.outgoing(answers.numbers()), [])
    with pytest.raises(LedgerError):
        await anext(taking)


@pytest.mark.parametrize(
    "answer", [Unavailable("away"), LedgerError(Reason.AUTHENTICATION_UNAVAILABLE, "away")], ids=["database", "issuer"]
)
async def test_what_says_nothing_of_the_credential_ends_nothing(answer: Exception) -> None:
    credential = Credential([answer, answer, ANN, ENDED])
    with pytest.raises(LedgerError) as caught:
        await take(call_of(credential).outgoing(Source(0).numbers()), [])
    assert caught.value is ENDED
    assert credential.asked == 4


async def test_other_rights_end_the_call() -> None:
    other = Principal("ann", frozenset(), None)
    with pytest.raises(LedgerError, match="rights") as caught:
        await take(call_of(Credential([ANN, other])).outgoing(Source(0).numbers()), [])
    assert caught.value.reason is Reason.UNAUTHENTICATED


async def test_a_call_that_is_over_is_looked_at_no_more() -> None:
    credential = Credential()
    source = Source(3, is_endless=False)
    assert [number async for number in call_of(credential).outgoing(source.numbers())] == [0, 1, 2]
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "credential-recheck"]


async def test_a_callers_own_cancellation_stays_one() -> None:
    source = Source(0)

    task = asyncio.create_task(take(call_of(Credential()).outgoing(source.numbers()), []))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.ended == ["cancelled", "closed"]


async def test_what_the_responses_raise_is_raised() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LedgerError(Reason.DRAINING, "later")

    seen: list[int] = []
    with pytest.raises(LedgerError) as caught:
        await take(call_of(Credential()).outgoing(failing()), seen)
    assert caught.value.reason is Reason.DRAINING
    assert seen == [1]


async def test_an_upload_that_waits_ends_with_its_credential() -> None:
    source = Source(3)
    seen: list[int] = []
    with pytest.raises(LedgerError) as caught:
        await take(call_of(Credential([ANN, ANN, ENDED])).uploaded(source.numbers()), seen)
    assert caught.value is ENDED
    assert seen == [0, 1, 2]


async def test_what_follows_an_upload_is_not_ended_by_its_credential() -> None:
    """A write is under way then: a call that is refused must not take effect."""
    credential = Credential([ENDED])
    uploaded = call_of(credential).uploaded(Source(3, is_endless=False).numbers())
    assert [number async for number in uploaded] == [0, 1, 2]
    await asyncio.sleep(0.01)
    assert credential.asked == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "credential-recheck"]


async def test_an_upload_that_is_left_is_looked_at_no_more() -> None:
    source = Source(3)
    async with aclosing(call_of(Credential()).uploaded(source.numbers())) as uploaded:
        assert await anext(uploaded) == 0
    await asyncio.sleep(0)
    assert source.ended == ["closed"]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "credential-recheck"]
