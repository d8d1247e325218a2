"""The service and the model side by side: every call goes to both, and the answers must agree."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ledger.v1 import account_pb2, account_service_pb2, category_service_pb2, transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions_pb2
from tests.helpers.builders import new_entity, timestamp, unique
from tests.helpers.model import (
    Account,
    Approve,
    ArchiveCategory,
    Categorize,
    Clear,
    Create,
    CreateCategory,
    Done,
    Edit,
    Ledger,
    Moment,
    OfCategory,
    Refusal,
    RenameCategory,
    Reverse,
    SetLimits,
    SetState,
    View,
    Void,
)
from tests.helpers.rpc import Client, Refused
from tests.helpers.wire import (
    Requests,
    account_request,
    check_balance,
    check_category,
    check_refusal,
    decimal,
    leg_message,
    totals_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.helpers.servers import ShiftedClock


class Twin:
    """One entity in the service, and the model of it."""

    def __init__(self, client: Client, clock: ShiftedClock, entity_id: str, accounts: Sequence[Account]) -> None:
        self.client = client
        self.clock = clock
        self.entity_id = entity_id
        self.ledger = Ledger(accounts)
        self.requests = Requests(entity_id)

    @classmethod
    async def make(cls, client: Client, clock: ShiftedClock, accounts: Sequence[Account]) -> Twin:
        """A new entity with that chart of accounts."""
        entity_id = await new_entity(client, entity_id=unique("twin"))
        twin = cls(client, clock, entity_id, accounts)
        request = account_service_pb2.BatchCreateAccountsRequest(entity_id=entity_id)
        request.requests.extend(account_request("", account) for account in accounts)
        answer = await client.accounts.BatchCreateAccounts(request)
        assert [each.account.id for each in answer.responses] == [each.id for each in accounts]
        await twin.learn()
        return twin

    # Writes.

    async def create(self, command: Create) -> None:
        """CreateTransaction; see `write` for the others."""
        again = command.key in self.ledger.first_uses
        expected = self.ledger.apply(command, self.clock.now())
        call = self.client.transactions.CreateTransaction(self.requests.create(command))
        got = await _outcome(call)
        self._check_write(expected, got, rehearsed=command.validate_only)
        _check_said_to_be_replayed(got, again)

    async def write(
        self, command: Edit | Approve | Clear | Void | Reverse | SetState | SetLimits | Categorize | OfCategory
    ) -> None:
        """Any write but a creation."""
        request, method = self._request(command)
        again = command.key in self.ledger.first_uses
        expected = self.ledger.apply(command, self.clock.now())
        got = await _outcome(method(request))
        self._check_write(expected, got)
        _check_said_to_be_replayed(got, again)

    async def batch(self, commands: Sequence[Create], *, atomic: bool) -> None:
        """BatchCreateTransactions."""
        expected = self.ledger.apply_batch(commands, self.clock.now(), atomic=atomic)
        request = transactions_pb2.BatchCreateTransactionsRequest(entity_id=self.entity_id, atomic=atomic)
        request.requests.extend(self.requests.create(command) for command in commands)
        got = await _outcome(self.client.transactions.BatchCreateTransactions(request))
        if isinstance(expected, Refusal):
            self._check_write(expected, got)
            return
        assert not isinstance(got, Refused), f"expected results, got {got}"
        assert len(got.results) == len(commands)
        for each, result in zip(expected, got.results, strict=True):
            is_error = result.WhichOneof("outcome") == "error"
            self._check_write(each, Refused(result.error) if is_error else result.response)

    def _request(self, command: Any) -> tuple[Any, Any]:
        transactions, accounts = self.client.transactions, self.client.accounts
        match command:
            case Edit():
                return self.requests.edit(command), transactions.EditTransaction
            case Approve():
                return self.requests.approve(command), transactions.ApproveTransactions
            case Clear():
                return self.requests.clear(command), transactions.ClearTransaction
            case Void():
                return self.requests.void(command), transactions.VoidTransaction
            case Reverse():
                versions = self.ledger.versions.get(command.number)
                legs = versions[-1].legs if versions else ()
                return self.requests.reverse(command, legs), transactions.ReverseTransaction
            case SetLimits():
                return self.requests.set_limits(command), accounts.UpdateAccount
            case Categorize():
                return self.requests.categorize(command), transactions.CategorizeTransaction
            case CreateCategory():
                return self.requests.create_category(command), self.client.categories.CreateCategory
            case RenameCategory():
                return self.requests.rename_category(command), self.client.categories.UpdateCategory
            case ArchiveCategory():
                return self.requests.archive_category(command), self.client.categories.ArchiveCategory
        methods = {"FROZEN": "FreezeAccount", "OPEN": "UnfreezeAccount", "CLOSED": "CloseAccount"}
        return self.requests.set_state(command), getattr(accounts, methods[command.state])

    def _check_write(self, expected: Done | Refusal, got: Any, *, rehearsed: bool = False) -> None:
        if isinstance(expected, Refusal):
            assert isinstance(got, Refused), f"expected {expected}, got {got}"
            check_refusal(expected, got)
            return
        assert not isinstance(got, Refused), f"expected {expected}, got {got}"
        assert got.replayed == expected.replayed, got
        if hasattr(got, "account"):
            return
        if expected.category is not None:
            check_category(expected.category, got.category)
            self.ledger.times.setdefault(expected.category.sequence, got.category.update_time.ToDatetime(UTC))
            return
        if hasattr(got, "category"):
            assert got.category.id == expected.views[0].category
        assert got.sequence == expected.sequence, f"sequence {got.sequence}, expected {expected.sequence}"
        seen = list(got.transactions) if hasattr(got, "transactions") else [got.transaction]
        for view, transaction in zip(expected.views, seen, strict=True):
            if rehearsed:
                assert (transaction.id, transaction.sequence) == ("", 0)
            else:
                self._learn(view, transaction)
            self._check_transaction(view, transaction, rehearsed=rehearsed)
        if hasattr(got, "balances"):
            for each, balance in zip(expected.balances, got.balances, strict=True):
                check_balance(each, balance, rehearsed=rehearsed)

    def _learn(self, view: View, transaction: transaction_pb2.Transaction) -> None:
        known = self.requests.ids.setdefault(view.number, transaction.id)
        assert transaction.id == known
        assert len(set(self.requests.ids.values())) == len(self.requests.ids), "an id was given twice"
        self.requests.currency_of[view.number] = view.legs[0].currency
        self.ledger.times.setdefault(view.sequence, transaction.update_time.ToDatetime(UTC))

    def _check_transaction(
        self, view: View, got: transaction_pb2.Transaction, *, rehearsed: bool = False, links: bool = True
    ) -> None:
        assert got.entity_id == self.entity_id
        assert transaction_pb2.TransactionStatus.Name(got.status) == f"TRANSACTION_STATUS_{view.status}", got
        assert list(got.postings) == [leg_message(leg) for leg in view.legs]
        assert got.revision == view.revision
        assert got.description == self._text(view.description)
        assert got.reference == view.reference
        assert got.category_id == view.category
        assert got.idempotency_key == self.ledger.versions.get(view.number, [view])[0].key
        assert got.HasField("expire_time") == (view.expire is not None)
        if view.expire is not None:
            assert got.expire_time == timestamp(view.expire)
        assert (got.actor == "") == view.by_server, got
        if rehearsed:
            return
        assert got.id == self.requests.ids[view.number]
        assert (got.sequence, got.create_sequence) == (view.sequence, view.number)
        assert got.create_time == timestamp(self.ledger.times[view.number])
        assert got.update_time == timestamp(self.ledger.times[view.sequence])
        assert got.effective_time == timestamp(self.ledger.effective_time(view))
        reverses = "" if view.reverses is None else self.requests.ids[view.reverses]
        assert got.reverses_transaction_id == reverses
        if links:
            assert list(got.reversed_by_transaction_ids) == [self.requests.ids[n] for n in view.reversed_by]

    def _text(self, text: str) -> str:
        """A text of the model's, with the names of transactions as the service writes them."""
        words = [self.requests.ids[int(w[1:])] if w.startswith("#") else w for w in text.split(" ")]
        return " ".join(words)

    # Reads.

    async def learn(self) -> None:
        """Follow the entity's history and hold it against the model's; notes when each event was recorded."""
        ledger = self.ledger
        after = 0
        while after + 1 in ledger.times:
            after += 1
        if after >= ledger.sequence:
            return
        request = transactions_pb2.WatchTransactionsRequest(entity_id=self.entity_id, after_sequence=after)
        call = self.client.transactions.WatchTransactions(request, timeout=60)
        try:
            for event in ledger.events[after:]:
                self._check_event(event, await call.read())
        finally:
            call.cancel()

    def _check_event(self, event: Any, got: transactions_pb2.WatchTransactionsResponse) -> None:
        assert got.sequence == event.sequence
        assert transactions_pb2.EventKind.Name(got.kind) == f"EVENT_KIND_{event.kind}", got
        assert got.idempotency_key == event.key
        recorded = got.recorded_time.ToDatetime(UTC)
        assert self.ledger.times.setdefault(event.sequence, recorded) == recorded
        assert recorded >= self.ledger.times.get(event.sequence - 1, recorded), "recorded time goes back"
        if event.view is not None:
            assert got.transaction.id == self.requests.ids.setdefault(event.view.number, got.transaction.id)
            self._check_transaction(event.view, got.transaction, links=False)
        elif event.reason:
            check_refusal(Refusal(event.reason), Refused(got.refusal))
        elif event.category is not None:
            check_category(event.category, got.category)
            assert got.category.update_time.ToDatetime(UTC) == recorded
        elif event.account:
            assert got.account.id == event.account
        else:
            assert got.entity.id == self.entity_id

    async def check_balance(self, account: str, currency: str, moment: Moment, *, subtree: bool) -> None:
        """GetBalance; `currency` "": all."""
        await self.learn()
        request = account_service_pb2.GetBalanceRequest(
            entity_id=self.entity_id, account_id=account, currency=currency, include_subtree=subtree
        )
        if moment != Moment():
            request.moment.CopyFrom(_moment_message(moment))
        got = await self.client.accounts.GetBalance(request)
        self._check_balances(account, currency, moment, got.balances, subtree=subtree)

    async def check_balances(self, accounts: Sequence[str], moment: Moment, *, subtree: bool) -> None:
        """BatchGetBalances in all currencies."""
        await self.learn()
        request = account_service_pb2.BatchGetBalancesRequest(
            entity_id=self.entity_id, account_ids=accounts, include_subtree=subtree
        )
        if moment != Moment():
            request.moment.CopyFrom(_moment_message(moment))
        got = await self.client.accounts.BatchGetBalances(request)
        assert [each.account_id for each in got.accounts] == list(accounts)
        for each in got.accounts:
            self._check_balances(each.account_id, "", moment, each.balances, subtree=subtree)

    def _check_balances(
        self,
        account: str,
        currency: str,
        moment: Moment,
        got: Sequence[account_pb2.Balance],
        *,
        subtree: bool,
    ) -> None:
        now = self.clock.now()
        if subtree:
            expected = self.ledger.subtree_balances(account, now, moment)
        else:
            expected = self.ledger.balances(account, now, moment)
        if currency:
            expected = [each for each in expected if each.currency == currency]
            if not expected:
                expected = [self.ledger.balance(account, currency, now, moment)]
        for each, balance in zip(expected, got, strict=True):
            check_balance(each, balance)

    async def check_transaction(self, number: int) -> None:
        """GetTransaction."""
        await self.learn()
        request = transactions_pb2.GetTransactionRequest(
            entity_id=self.entity_id, transaction_id=self.requests.id_of(number)
        )
        got = await _outcome(self.client.transactions.GetTransaction(request))
        if number not in self.ledger.versions:
            assert isinstance(got, Refused)
            check_refusal(Refusal("TRANSACTION_NOT_FOUND"), got)
            return
        self._check_transaction(self.ledger.current(number), got.transaction)

    async def check_revisions(self, number: int) -> None:
        """ListTransactionRevisions, two to a page."""
        await self.learn()
        request = transactions_pb2.ListTransactionRevisionsRequest(
            entity_id=self.entity_id, transaction_id=self.requests.id_of(number), page_size=2
        )
        got = await self._pages(self.client.transactions.ListTransactionRevisions, request, "revisions")
        for view, revision in zip(self.ledger.versions[number], got, strict=True):
            self._check_transaction(view, revision, links=False)

    async def check_list(
        self, *, statuses: Sequence[str], account: str, since: datetime | None, before: datetime | None,
        ascending: bool, page_size: int, by_effective_time: bool = False,
    ) -> None:  # fmt: skip
        """ListTransactions with these filters, over all its pages."""
        await self.learn()
        request = transactions_pb2.ListTransactionsRequest(
            entity_id=self.entity_id, account_id=account, ascending=ascending, page_size=page_size
        )
        if by_effective_time:
            request.order = transactions_pb2.TRANSACTION_ORDER_EFFECTIVE
        names = [f"TRANSACTION_STATUS_{status}" for status in statuses]
        request.statuses.extend(transaction_pb2.TransactionStatus.Value(name) for name in names)
        if since is not None:
            request.effective_from.CopyFrom(timestamp(since))
        if before is not None:
            request.effective_before.CopyFrom(timestamp(before))
        expected = []
        views = [self.ledger.current(number) for number in self.ledger.versions]
        place = (lambda v: (self.ledger.effective_time(v), v.number)) if by_effective_time else (lambda v: v.number)
        for view in sorted(views, key=place, reverse=not ascending):
            effective = self.ledger.effective_time(view)
            if (
                (not statuses or view.status in statuses)
                and (not account or account in {leg.account for leg in view.legs})
                and (since is None or effective >= since)
                and (before is None or effective < before)
            ):
                expected.append(view)
        got = await self._pages(self.client.transactions.ListTransactions, request, "transactions")
        seen = [each.create_sequence for each in got]
        assert seen == [view.number for view in expected], f"{seen}, expected {[v.number for v in expected]}"
        for view, transaction in zip(expected, got, strict=True):
            self._check_transaction(view, transaction)

    async def check_categories(self, *, include_archived: bool) -> None:
        """ListCategories, two to a page."""
        request = category_service_pb2.ListCategoriesRequest(
            entity_id=self.entity_id, page_size=2, include_archived=include_archived
        )
        got = await self._pages(self.client.categories.ListCategories, request, "categories")
        every = [c for c in self.ledger.categories.values() if include_archived or c.state == "ACTIVE"]
        for expected, category in zip(sorted(every, key=lambda c: (c.name, c.id)), got, strict=True):
            check_category(expected, category)

    async def check_key(self, key: str) -> None:
        """LookUpTransaction by key: what it wrote as it is now, or the refusal recorded under it."""
        await self.learn()
        request = transactions_pb2.LookUpTransactionRequest(entity_id=self.entity_id, idempotency_key=key)
        got = await self.client.transactions.LookUpTransaction(request)
        first = self.ledger.first_uses.get(key)
        views = first.answer.views if first and isinstance(first.answer, Done) else ()
        for view, transaction in zip(views, got.transactions, strict=True):
            self._check_transaction(self.ledger.current(view.number), transaction)
        assert got.HasField("refusal") == (first is not None and isinstance(first.answer, Refusal))
        if first and isinstance(first.answer, Refusal):
            check_refusal(first.answer, Refused(got.refusal))

    async def check_reference(self, reference: str) -> None:
        """LookUpTransaction by reference, two to a page."""
        await self.learn()
        request = transactions_pb2.LookUpTransactionRequest(entity_id=self.entity_id, reference=reference, page_size=2)
        got = await self._pages(self.client.transactions.LookUpTransaction, request, "transactions")
        numbers = [n for n, versions in self.ledger.versions.items() if versions[0].reference == reference]
        for number, transaction in zip(sorted(numbers), got, strict=True):
            self._check_transaction(self.ledger.current(number), transaction)

    async def check_entries(self, account: str, currency: str, *, ascending: bool) -> None:
        """ListEntries: a chain that proves itself, with what the model says each event did."""
        await self.learn()
        request = account_service_pb2.ListEntriesRequest(
            entity_id=self.entity_id, account_id=account, currency=currency, page_size=3, ascending=ascending
        )
        got = await self._pages(self.client.accounts.ListEntries, request, "entries")
        if not ascending:
            got.reverse()
        expected = self.ledger.entries_of(account, currency)
        assert [each.number for each in got] == list(range(1, len(expected) + 1))
        # Within one event the order of the entries is the service's choice; what they are is not.
        seen = sorted((e.sequence, account_pb2.EntryKind.Name(e.kind)[11:], account_pb2.Side.Name(e.side)[5:],
                       e.amount.amount, e.transaction_id) for e in got)  # fmt: skip
        assert seen == sorted(
            (e.sequence, e.kind, e.side, decimal(e.amount, currency), self.requests.ids[e.transaction])
            for e in expected
        )
        for entry in got:
            self._check_entry(account, currency, entry, is_last=_is_last(entry, got))

    def _check_entry(self, account: str, currency: str, entry: account_pb2.Entry, *, is_last: bool) -> None:
        view = next(v for vs in self.ledger.versions.values() for v in vs if v.sequence == entry.sequence)
        assert entry.account_id == account
        assert entry.amount.currency == currency
        assert entry.effective_time == timestamp(self.ledger.effective_time(view))
        assert entry.recorded_time == timestamp(self.ledger.times[entry.sequence])
        if is_last:
            after = self.ledger.totals_after(account, currency, entry.sequence)
            normal = self.ledger.accounts[account].normal_side
            assert totals_of(entry.totals) == tuple(decimal(each, currency) for each in after)
            assert entry.posted.amount == decimal(after.posted(normal), currency)
            assert entry.available.amount == decimal(after.available(normal), currency)

    async def _pages(self, method: Any, request: Any, field: str) -> list[Any]:
        items: list[Any] = []
        while True:
            answer = await method(request)
            page = getattr(answer, field)
            assert len(page) <= request.page_size
            items += page
            if not answer.next_page_token:
                return items
            assert len(page) == request.page_size, "a page that is not the last is full"
            request.page_token = answer.next_page_token


def _is_last(entry: account_pb2.Entry, entries: Sequence[account_pb2.Entry]) -> bool:
    following = entries[entry.number : entry.number + 1]
    return not following or following[0].sequence != entry.sequence


def _moment_message(moment: Moment) -> account_service_pb2.BalanceMoment:
    message = account_service_pb2.BalanceMoment()
    if moment.effective is not None:
        message.effective_time.CopyFrom(timestamp(moment.effective))
    if moment.known_sequence is not None:
        message.known_sequence = moment.known_sequence
    if moment.known_time is not None:
        message.known_time.CopyFrom(timestamp(moment.known_time))
    return message


def _check_said_to_be_replayed(got: Any, again: bool) -> None:
    """A refusal that was recorded says that it is told again; a new one, and that of a reused key, do not."""
    if isinstance(got, Refused):
        assert ("replayed" in got.metadata) == (again and got.reason != "IDEMPOTENCY_KEY_REUSED"), got


async def _outcome(call: Any) -> Any:
    """The answer, or the refusal as a value."""
    try:
        return await call
    except Refused as refused:
        return refused
