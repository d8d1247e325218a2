"""What porcupine is asked: each key once, from the first asking to the first answer, and what the ends do to it."""

from __future__ import annotations

from typing import Any

import pytest
from google.rpc import status_pb2

from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.history import NEVER, Look, Seen, Story, Write
from tests.chaos.second_opinion import Step, _window, steps_of
from tests.chaos.workloads import transfer
from tests.helpers.model import Account
from tests.helpers.rpc import Refused

ACCOUNTS = (Account("hot", "LIABILITY"), Account("cash", "ASSET"))


class Insufficient(Refused):
    """The refusal that says something about the balance."""

    def __init__(self) -> None:
        super().__init__(status_pb2.Status(code=9))
        self.reason = "INSUFFICIENT_BALANCE"


@pytest.fixture
def story() -> Story:
    return Story("story", ACCOUNTS)


def sent(
    story: Story, command: Any, invoked: float, answered: float = NEVER, answer: Any = None, batch: Any = ()
) -> None:
    story.writes.append(Write(command, invoked, answered, answer=answer, batch=batch))


def test_a_key_is_one_thing_however_often_it_was_sent(story: Story) -> None:
    deposit = transfer("one", "cash", "hot", 70)
    sent(story, deposit, 1)
    sent(story, deposit, 3, 4, pb.CreateTransactionResponse(replayed=True))
    sent(story, deposit, 5, 6, pb.CreateTransactionResponse(replayed=True))
    assert steps_of(story, {"one": 170}) == [Step("applied", 1, 4, 70, 170)]


def test_what_nobody_was_told_has_no_end_or_has_not_happened(story: Story) -> None:
    withdrawal = transfer("lost", "hot", "cash", 70)
    sent(story, withdrawal, 1)
    assert steps_of(story, {"lost": 30}) == [Step("applied", 1, NEVER, -70, 30)]
    assert steps_of(story, {}) == []
    story.watches += [[Seen(9, 4, 1, "lost", ""), Seen(9, 5, 1, "other", "")], [Seen(7, 4, 1, "lost", "")]]
    assert steps_of(story, {"lost": 30}) == [Step("applied", 1, 7, -70, 30)]


def test_a_refusal_tells_of_the_balance_unless_it_is_a_batchs(story: Story) -> None:
    withdrawal = transfer("too much", "hot", "cash", 70)
    sent(story, withdrawal, 1, 2, Insufficient())
    sent(story, transfer("neighbour", "cash", "hot", 7), 1, 2, Insufficient(), batch=(withdrawal,))
    assert steps_of(story, {}) == [Step("refused", 1, 2, -70, 0)]


def test_other_accounts_do_not_count(story: Story) -> None:
    sent(story, transfer("beside", "cash", "till", 7), 1, 2, pb.CreateTransactionResponse())
    story.looks.append(Look(1, 2, []))
    assert steps_of(story, {"beside": 7}) == []


def test_windows() -> None:
    """Inside: as it was told. Over an end: a write has perhaps happened outside, and a read tells nothing."""
    steps = [
        Step("applied", 0, 12, 1, 1), Step("read", 9, 11, 0, 1), Step("applied", 11, 12, 1, 2),
        Step("read", 12, 13, 0, 2), Step("refused", 14, 25, -9, 0), Step("applied", 15, NEVER, 1, 3),
        Step("applied", 21, 22, 1, 4), Step("applied", 1, 2, 1, 9),
    ]  # fmt: skip
    kinds = [(each["kind"], each["balance"]) for each in _window(steps, 10, 20)["operations"]]
    assert kinds == [("perhaps", 1), ("applied", 2), ("read", 2), ("perhaps", 3)]
