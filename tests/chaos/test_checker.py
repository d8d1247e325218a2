"""The checker finds every kind of breach in a history that was spoilt, and none in one that was not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.checker import check
from tests.chaos.forger import Forger
from tests.chaos.history import Listing, Look, Seen, Shortage
from tests.chaos.verdict import Breach
from tests.chaos.workloads import transfer
from tests.helpers.model import Account, Approval, Approve, Limit, Reverse, Void

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.history import Write
    from tests.chaos.last_reads import LastReads

ACCOUNTS = (Account("hot", "LIABILITY", limits=(Limit("USD", floor=0),)), Account("cash", "ASSET"))
SETUP = 1 + len(ACCOUNTS)


def deposit(key: str, amount: int = 100, **fields: Any) -> Any:
    return transfer(key, "cash", "hot", amount, **fields)


def withdraw(key: str, amount: int) -> Any:
    return transfer(key, "hot", "cash", amount)


@pytest.fixture
def forger() -> Forger:
    """A little of everything: a deposit, one that is held, captured and released, a refusal, a reversal, a replay."""
    forger = Forger(ACCOUNTS)
    for command in (
        deposit("first"),
        deposit("held", status="PENDING"),
        withdraw("too much", 500),
        Approve("capture", (Approval(SETUP + 2, 60),)),
        deposit("released", status="PENDING"),
        Void("release", SETUP + 5),
        Reverse("back", SETUP + 1, 40),
        deposit("first"),
        withdraw("too much", 500),
        deposit("first", 99),
    ):
        forger.do(command)
    # Answers to these are not of the message that the forger makes; that they are judged is shown by real rounds.
    for write in forger.story.writes:
        if isinstance(write.command, Approve | Void | Reverse):
            write.answer, write.ambiguous = None, "UNAVAILABLE"
    return forger


def breaches(forger: Forger, last: LastReads | None = None) -> set[Breach]:
    verdict = check(forger.story, last or forger.last_reads())
    assert sum(map(len, verdict.examples.values())) == verdict.breaches.total()
    return set(verdict.breaches)


def write_of(forger: Forger, key: str) -> Write:
    return next(write for write in forger.story.writes if write.command.key == key)


def without(forger: Forger, *keys: str) -> LastReads:
    """The last reads of a service that has forgotten some keys' events, and numbers the others anew."""
    last = forger.last_reads()
    events = [event for event in last.events if event.idempotency_key not in keys]
    for number, event in enumerate(events, 1):
        event.sequence = number
    return replace(last, events=events)


def test_nothing_is_found_in_a_faultless_history(forger: Forger) -> None:
    verdict = check(forger.story, forger.last_reads())
    assert verdict.is_clean, str(verdict)
    assert verdict.checked["operations"] == 10
    assert verdict.checked["events"] == len(forger.events)


def test_acknowledged_and_lost(forger: Forger) -> None:
    assert Breach.LOST in breaches(forger, without(forger, "back", "first"))


def test_a_refusal_that_was_told_and_forgotten(forger: Forger) -> None:
    assert Breach.LOST in breaches(forger, without(forger, "too much"))


def test_applied_twice(forger: Forger) -> None:
    forger.ledger.first_uses.clear()
    forger.do(deposit("first"))
    assert Breach.TWICE in breaches(forger)


def test_refused_yet_applied(forger: Forger) -> None:
    write_of(forger, "first").answer = write_of(forger, "too much").answer
    del forger.story.writes[-3:]
    assert Breach.REFUSED_YET_APPLIED in breaches(forger)


def test_floor_broken_in_between(forger: Forger) -> None:
    """The service let pass what the model refuses: the account without its floor in the forger's ledger."""
    spoilt = Forger([Account("hot", "LIABILITY"), ACCOUNTS[1]])
    spoilt.story.accounts = ACCOUNTS
    spoilt.do(withdraw("overdraft", 1))
    assert breaches(spoilt) == {Breach.MODEL}


def test_a_write_of_nobody(forger: Forger) -> None:
    forger.do(deposit("nobody's"))
    forger.story.writes.pop()
    assert Breach.MODEL in breaches(forger)


def _sequence(write: Write) -> None:
    write.answer.sequence += 1


def _amount(write: Write) -> None:
    write.answer.transaction.postings[0].amount.amount = "1.01"


def _balance(write: Write) -> None:
    write.answer.balances[0].posted.amount = "0.01"


@pytest.mark.parametrize("spoil", [_sequence, _amount, _balance], ids=lambda spoil: spoil.__name__)
def test_an_answer_that_is_not_what_happened(forger: Forger, spoil: Callable[[Write], None]) -> None:
    spoil(write_of(forger, "first"))
    assert breaches(forger) == {Breach.ANSWER}


def test_the_replay_flag(forger: Forger) -> None:
    write_of(forger, "held").answer.replayed = True
    assert breaches(forger) == {Breach.FLAG}
    write_of(forger, "held").answer.replayed = False
    forger.story.writes[-3].answer.replayed = False
    assert Breach.FLAG in breaches(forger)


def test_another_tenants_transaction(forger: Forger) -> None:
    write_of(forger, "first").answer.transaction.entity_id = "stranger"
    assert Breach.STRANGER in breaches(forger)


def test_real_time_order(forger: Forger) -> None:
    """The first one was sent after the second one had been answered."""
    first = write_of(forger, "first")
    first.invoked, first.answered = 2.6, 2.7
    assert breaches(forger) == {Breach.ORDER}


def test_balances_in_between(forger: Forger) -> None:
    at = SETUP + 2
    standing = forger.ledger.standing("hot", "USD", at)
    view = forger.ledger.balance("hot", "USD", None)._replace(  # type: ignore[arg-type]
        totals=standing.totals, entry_number=standing.number, sequence=at
    )
    right = forger.balance(view)
    forger.story.looks.append(Look(2.6, 2.9, [right]))
    assert breaches(forger) == set()
    stale = forger.balance(view)
    stale.totals.credits_posted = "99.00"
    forger.story.looks.append(Look(2.6, 2.9, [stale]))
    assert breaches(forger) == {Breach.BALANCE}
    forger.story.looks[-1] = Look(9.0, 9.1, [right])
    assert breaches(forger) == {Breach.ORDER}, "a balance from before what was acknowledged"


def test_lists_in_between(forger: Forger) -> None:
    created = [event.sequence for event in forger.events if event.HasField("transaction") and event.kind in (1, 7)]
    forger.story.listings.append(Listing(5.8, 5.9, created[:3], ends=True))
    assert breaches(forger) == set()
    for numbers in (created[1:3], [*created[:3], created[2]], created[:2]):
        forger.story.listings[-1] = Listing(5.8, 5.9, numbers, ends=True)
        assert breaches(forger) == {Breach.LIST}


def test_watchers(forger: Forger) -> None:
    seen = [Seen(99.0, e.sequence, e.kind, e.idempotency_key, e.transaction.id) for e in forger.events]
    forger.story.watches.append(seen[:5])
    assert breaches(forger) == set()
    for spoilt in (seen[1:], [*seen[:4], seen[3]], [*seen[:3], *seen[4:]], [*seen, seen[-1]]):
        forger.story.watches[-1] = spoilt
        assert breaches(forger) == {Breach.WATCH}


def test_a_refusal_under_a_key_that_two_contents_want(forger: Forger) -> None:
    """The events do not tell whose it was; the answers do, whoever was sent first."""
    for command in (withdraw("both", 700), withdraw("both", 800), withdraw("both", 700)):
        forger.do(command)
    own, another, _ = forger.story.writes[-3:]
    own.answer = None
    forger.story.writes[-3:-1] = [another, own]
    assert breaches(forger) == set()


def test_a_neighbour_of_a_bad_item(forger: Forger) -> None:
    write_of(forger, "back").ambiguous = "INTERNAL INTERNAL"
    assert breaches(forger) == {Breach.NEIGHBOUR}


def test_a_fault_for_want_of_memory(forger: Forger) -> None:
    write = write_of(forger, "back")
    write.ambiguous, write.lost = "INTERNAL INTERNAL", write.invoked + 0.5
    forger.story.shortages = [Shortage(write.invoked + 0.4, write.invoked + 9)]
    assert breaches(forger) == set()
    forger.story.shortages = [Shortage(write.invoked + 0.6, write.invoked + 9)]
    assert breaches(forger) == {Breach.NEIGHBOUR}


def test_what_is_not_served_at_the_end(forger: Forger) -> None:
    forger.story.late = 1
    last = forger.story.writes[-1]
    last.answer, last.ambiguous = None, "UNAVAILABLE DATABASE_UNAVAILABLE"
    assert breaches(forger) == {Breach.UNSERVED}
