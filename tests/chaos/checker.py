"""Judges the history of an entity, from outside: over what the public API told, in linear time.

1. Coarsely, by keys alone: whatever was acknowledged is there, once, and what was refused is not.
2. Exactly: a single-threaded model (tests.chaos.linear) goes through the entity's sequence as it was told at the end,
   does what each event's key had asked for, and must come to the same event.
3. Every answer that a caller got is the model's: ids, amounts, balances, refusal, replay flag.
4. Real time: what was answered before something else was invoked stands before it.
5. Reads in between: each balance is the one of its sequence, each list a beginning of the order of creation, each
   watcher was told the sequence without a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.v1 import account_pb2
from ledger.v1 import transaction_service_pb2 as pb
from tests.chaos.desk import Alter
from tests.chaos.desk_model import Course
from tests.chaos.replay import NEVER_RECORDED, Replay, is_poison, is_replayed, is_unrecorded, was_told_another
from tests.chaos.verdict import Breach, Verdict
from tests.helpers.model import Done, Refusal
from tests.helpers.rpc import Refused
from tests.helpers.wire import check_balance, check_refusal, decimal, totals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.desk import Report
    from tests.chaos.history import Look, Story, Write
    from tests.chaos.last_reads import LastReads

_CREATIONS = (pb.EVENT_KIND_TRANSACTION_CREATED, pb.EVENT_KIND_TRANSACTION_REVERSED)


def check(story: Story, last: LastReads) -> Verdict:
    """Everything about one entity."""
    checker = _Checker(story, last)
    for step in (
        checker.keys,
        checker.late,
        checker.replay,
        checker.answers,
        checker.flags,
        checker.order,
        checker.looks,
        checker.lists,
        checker.watches,
        checker.last_reads,
        checker.reconciliation,
        checker.strangers,
    ):
        step()
    return checker.verdict


class _Checker(Replay):
    # 1. Keys.

    def keys(self) -> None:
        """Needs no model, and so tells lost from twice even where the model can't follow."""
        created: set[str] = set()
        for event in self.last.events:
            key = event.idempotency_key
            if key:
                if key in self.events:
                    self.note(Breach.TWICE, f"key {key} at {self.events[key].sequence} and {event.sequence}")
                self.events.setdefault(key, event)
            if event.kind in _CREATIONS:
                if event.transaction.id in created:
                    self.note(Breach.TWICE, f"{event.transaction.id} was created twice")
                created.add(event.transaction.id)
                self.story.learn(event.sequence, event.transaction.id)
        for key, tries in self.tries.items():
            event = self.events.get(key)
            for write in tries:
                self._check_key(write, event, tries)
        self.verdict.checked["operations"] += len(self.story.writes)
        self.verdict.checked["unknown, resolved"] += sum(not write.is_known for write in self.story.writes)

    def _check_key(self, write: Write, event: Any, tries: Sequence[Write]) -> None:
        key, answer = write.command.key, write.answer
        applied = event is not None and event.kind != pb.EVENT_KIND_WRITE_REFUSED
        if answer is None:
            if (
                write.ambiguous.endswith(" INTERNAL")
                and not is_poison(write)
                and not self._is_for_want_of_memory(write)
            ):
                self.note(Breach.NEIGHBOUR, f"{key}: {write.ambiguous}")
        elif not isinstance(answer, Refused):
            if not applied:
                self.note(Breach.LOST, f"{key}: answered with success, and is not there")
        elif answer.reason in NEVER_RECORDED:
            may_be_others = any(other is not write and not is_unrecorded(other.answer) for other in tries)
            if event is not None and not may_be_others:
                self.note(Breach.REFUSED_YET_APPLIED, f"{key}: {answer.reason}, yet at {event.sequence}")
        elif event is None:
            self.note(Breach.LOST, f"{key}: the refusal {answer.reason} is not recorded")
        elif answer.reason != "IDEMPOTENCY_KEY_REUSED" and applied and not self._is_anothers(write, tries):
            self.note(Breach.REFUSED_YET_APPLIED, f"{key}: {answer.reason}, yet at {event.sequence}")

    def _is_for_want_of_memory(self, write: Write) -> bool:
        return any(write.invoked < each.end and each.start < write.lost for each in self.story.shortages)

    @staticmethod
    def _is_anothers(write: Write, tries: Sequence[Write]) -> bool:
        """Whether the key's event may be that of a try with other content: the answers tell then."""
        return any(other.command != write.command for other in tries)

    def late(self) -> None:
        """What was sent when nothing was broken any more has a definite answer."""
        for write in self.story.writes[len(self.story.writes) - self.story.late :]:
            if not write.is_known:
                self.note(Breach.UNSERVED, f"{write.command.key}: {write.ambiguous}")

    # 3. Answers.

    def answers(self) -> None:
        """Each against the model's first answer to its key."""
        if not self.is_whole:
            return
        for write in self.story.writes:
            if write.answer is None:
                continue
            try:
                wrong = self._answer_differs(write)
            except AssertionError as error:
                wrong = str(error)
            if wrong:
                self.note(Breach.ANSWER, f"{write.command.key}: {wrong}")

    def _answer_differs(self, write: Write) -> str:
        answer, key = write.answer, write.command.key
        is_refusal = isinstance(answer, Refused)
        if is_refusal and answer.reason in NEVER_RECORDED:
            return ""
        first = self.ledger.first_uses.get(key)
        if first is None:
            return ""  # has been found lost
        if is_refusal and answer.reason == "IDEMPOTENCY_KEY_REUSED":
            if first.command == write.command:
                return "told that its key belongs to another content, which is its own"
            check_refusal(Refusal(answer.reason, (("idempotency_key", key), ("sequence", str(first.sequence)))), answer)
            return ""
        if first.command != write.command:
            return f"answered by {answer}, although the key belongs to {first.command}"
        if is_refusal:
            return self._refusal_differs(write, answer)
        if isinstance(first.answer, Refusal):
            return f"answered with success, the model refuses with {first.answer}"
        if isinstance(write.command, Alter):
            return self.desk.answer_differs(write.command, answer)
        return self._success_differs(first.answer, answer)

    def _refusal_differs(self, write: Write, answer: Refused) -> str:
        key = write.command.key
        if write.batch:
            # The call has failed as a whole, with the refusal of one of its items.
            key = write.batch[int(answer.metadata["failed_index"])].key
        expected = self.ledger.first_uses[key].answer
        if isinstance(expected, Done):
            return f"refused with {answer.reason}, the model lets it pass"
        check_refusal(expected, answer)
        return ""

    def _success_differs(self, expected: Done, answer: Any) -> str:
        if not hasattr(answer, "sequence"):
            return ""  # freezing an account
        if answer.sequence != expected.sequence:
            return f"sequence {answer.sequence}, the model says {expected.sequence}"
        seen = list(answer.transactions) if hasattr(answer, "transactions") else [answer.transaction]
        for view, transaction in zip(expected.views, seen, strict=True):
            wrong = self.transaction_differs(view, transaction, links=True)
            if wrong:
                return wrong
        if hasattr(answer, "balances"):
            for balance, got in zip(expected.balances, answer.balances, strict=True):
                check_balance(balance, got)
        return ""

    def flags(self) -> None:
        """Exactly one answer to a key is the first one, unless that one was lost on its way."""
        for key, tries in self.tries.items():
            known = [w for w in tries if w.is_known and not is_unrecorded(w.answer) and not was_told_another(w)]
            firsts = {id(w.batch) if w.batch else id(w) for w in known if not is_replayed(w.answer)}
            is_all = len(known) == len([w for w in tries if not was_told_another(w)])
            if len(firsts) > 1 and not any(w.batch for w in known):
                self.note(Breach.FLAG, f"{key}: {len(firsts)} answers are not told to be replayed")
            elif known and is_all and not firsts:
                self.note(Breach.FLAG, f"{key}: all answers are told to be replayed")

    # 4. Real time.

    def order(self) -> None:
        """Sweep over the clock: what is invoked stands behind all that was answered by then."""
        if not self.is_whole:
            return
        answered: list[tuple[float, int, str]] = []
        invoked: list[tuple[float, int, str, int]] = []
        for write in self.story.writes:
            first = self.ledger.first_uses.get(write.command.key)
            if first is None or not write.is_known or is_unrecorded(write.answer):
                continue
            answered.append((write.answered, first.sequence, write.command.key))
            if not was_told_another(write) and not is_replayed(write.answer):
                invoked.append((write.invoked, first.sequence, write.command.key, 1))
        for look in self.story.looks:
            for sequence in {balance.sequence for balance in look.balances}:
                answered.append((look.answered, sequence, "a balance"))
                invoked.append((look.invoked, sequence, "a balance", 0))
        for report in self._open_reports():
            answered.append((report.answered, report.told.sequence, "a report"))
            invoked.append((report.invoked, report.told.sequence, "a report", 0))
        for watch in self.story.watches:
            answered += [(seen.at, seen.sequence, "a watcher") for seen in watch]
        answered.sort()
        invoked.sort()
        self._sweep(answered, invoked)

    def _sweep(
        self, answered: Sequence[tuple[float, int, str]], invoked: Sequence[tuple[float, int, str, int]]
    ) -> None:
        latest, who, place = 0, "", 0
        for at, sequence, name, distance in invoked:
            while place < len(answered) and answered[place][0] < at:
                if answered[place][1] > latest:
                    _, latest, who = answered[place]
                place += 1
            if sequence < latest + distance:
                self.note(Breach.ORDER, f"{name} at {sequence} was invoked after {who} at {latest} was answered")
        self.verdict.checked["orderings"] += len(invoked)

    # 5. Reads.

    def looks(self) -> None:
        """Balances that were read in between."""
        for look in self.story.looks:
            self._check_constant(look)
            if not self.is_whole:
                continue
            for got in look.balances:
                wrong = self._balance_differs(got, exact=not self.story.expires)
                if wrong:
                    self.note(Breach.BALANCE, wrong)
        self.verdict.checked["operations"] += len(self.story.looks)
        self.verdict.checked["reads"] += len(self.story.looks)

    def _check_constant(self, look: Look) -> None:
        if self.story.constant is None:
            return
        accounts, constant = self.story.constant
        found = {got.account_id: got for got in look.balances}
        total = sum(_minor(found[account].posted.amount) for account in accounts)
        if total != constant or len({got.sequence for got in look.balances}) > 1:
            self.note(Breach.BALANCE, f"all accounts together have {total} instead of {constant}")

    def _balance_differs(self, got: account_pb2.Balance, *, exact: bool) -> str:
        standing = self.ledger.standing(got.account_id, "USD", got.sequence)
        expected = [decimal(each, "USD") for each in standing.totals]
        seen = list(totals_of(got.totals))
        if not exact:
            del expected[2:], seen[2:]
        if seen == expected and got.entry_number == standing.number:
            return ""
        return f"{got.account_id} at {got.sequence}: {seen} at entry {got.entry_number}, the model says {expected}, {standing.number}"  # noqa: E501

    def lists(self) -> None:
        """Oldest first, a list is a beginning of the order of creation, and has all that was told before."""
        created = [event.sequence for event in self.last.events if event.kind in _CREATIONS]
        acknowledged = sorted(
            (write.answered, write.answer.transaction.create_sequence)
            for write in self.story.writes
            if write.is_known and not isinstance(write.answer, Refused) and hasattr(write.answer, "transaction")
        )
        newest, place = 0, 0
        for listing in sorted(self.story.listings, key=lambda each: each.invoked):
            while place < len(acknowledged) and acknowledged[place][0] < listing.invoked:
                newest = max(newest, acknowledged[place][1])
                place += 1
            numbers = list(listing.numbers)
            if numbers != created[: len(numbers)]:
                self.note(Breach.LIST, f"{len(numbers)} are not the first {len(numbers)} that were created")
            elif listing.ends and newest > (numbers[-1] if numbers else 0):
                self.note(Breach.LIST, f"{newest} was acknowledged before, and is not in the list")
        self.verdict.checked["operations"] += len(self.story.listings)

    def watches(self) -> None:
        """Each is the beginning of the sequence."""
        expected = [(e.sequence, e.kind, e.idempotency_key, e.transaction.id) for e in self.last.events]
        for watch in self.story.watches:
            seen = [(each.sequence, each.kind, each.key, each.transaction_id) for each in watch]
            if seen != expected[: len(seen)]:
                first = next((a for a, b in zip(seen, expected, strict=False) if a != b), "more than there are")
                self.note(Breach.WATCH, f"{first} is not what the sequence says")
            self.verdict.checked["watched events"] += len(seen)

    def last_reads(self) -> None:
        """After the faults: every transaction, every balance, every outcome that nobody had been told."""
        for key, found in self.last.found.items():
            event = self.events.get(key)
            is_refused = event is not None and event.kind == pb.EVENT_KIND_WRITE_REFUSED
            if (event is not None) != bool(found.transactions or found.HasField("refusal") or _is_of_account(event)):
                self.note(Breach.LOST, f"{key}: the look-up and the sequence disagree")
            elif is_refused != found.HasField("refusal"):
                self.note(Breach.REFUSED_YET_APPLIED, f"{key}: the look-up and the sequence disagree")
        if not self.is_whole:
            return
        if [each.create_sequence for each in self.last.transactions] != list(self.ledger.versions):
            self.note(Breach.LIST, "the last list has not what the model has")
            return
        for transaction in self.last.transactions:
            wrong = self.transaction_differs(self.ledger.current(transaction.create_sequence), transaction, links=True)
            if wrong:
                self.note(Breach.MODEL, f"in the last list: {wrong}")
        for got in self.last.balances:
            wrong = self._balance_differs(got, exact=True)
            if wrong:
                self.note(Breach.BALANCE, f"at the end: {wrong}")

    def reconciliation(self) -> None:
        """The equation in every read, each import whole or not at all, and once."""
        desk, last = self.story.desk, self.last.books
        if desk is None or last is None:
            return
        self.verdict.checked["operations"] += len(desk.reports) + len(desk.again)
        self.verdict.checked["reports"] += len(desk.reports) + 1
        if not self.is_whole:
            return
        course = Course(self.last.events, _CREATIONS)
        reports = [last.report, *(each.told for each in desk.reports)]
        reports += [
            write.answer.reconciliation
            for write in self.story.writes
            if isinstance(write.command, Alter) and write.command.method == "CloseReconciliation" and write.is_known
            if not isinstance(write.answer, Refused)
        ]
        told = [self.desk.report_differs(report, course) for report in reports]
        told += [self.desk.again_differs(again) for again in desk.again]
        told += self.desk.last_differs(last)
        for wrong in filter(None, told):
            self.note(Breach.RECONCILIATION, wrong)

    def _open_reports(self) -> list[Report]:
        """Those that tell of now: a closed day is told as it was closed."""
        reports = self.story.desk.reports if self.story.desk is not None else []
        return [report for report in reports if not report.told.is_closed]

    def strangers(self) -> None:
        """What was told to somebody without a grant."""
        for text in self.story.strangers:
            self.note(Breach.STRANGER, text)
        self.verdict.checked["operations"] += self.story.probes


def _is_of_account(event: Any) -> bool:
    """A key of an account's change, or its reconciliation's: the look-up of transactions knows nothing of it."""
    return event is not None and event.kind in (
        pb.EVENT_KIND_ACCOUNT_CHANGED, pb.EVENT_KIND_RECONCILIATION_CHANGED
    )  # fmt: skip


def _minor(amount: str) -> int:
    return int(amount.replace(".", ""))
