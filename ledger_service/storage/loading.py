"""Reads what a batch's decisions rest on: each kind of thing for all entities in one query."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ledger_service.application.ports import Clock, Loaded
from ledger_service.domain.account import Account
from ledger_service.domain.commands import CreateTransaction, Unit
from ledger_service.domain.decide.book import EMPTY_HEAD, Book, KnownKey
from ledger_service.domain.decide.needs import Needs, needs_of
from ledger_service.domain.decide.outcome import Refused
from ledger_service.domain.snapshots import refusal_from
from ledger_service.storage import rows, sql
from ledger_service.storage.memory import Known, Memory, known_after

QUERIES = {**sql.load("shared.sql"), **sql.load("committer.sql")}

_Place = tuple[int, int]
_Position = tuple[int, str, str]
"""An entity's number, the id of an account in it, and a currency."""

_LONGEST_AHEAD = timedelta(seconds=1)
"""How much a batch's recorded time may lie behind the database's clock because it was decided ahead. What is more has
another cause: one of the two clocks was set."""


class Loader:
    """Loads one batch through one connection, under its locks."""

    def __init__(self, connection: Any, memory: Memory) -> None:
        self._connection = connection
        self._memory = memory

    async def load(self, units: Mapping[int, Sequence[Unit]], clock: Clock, due_limit: int) -> Loaded:
        """A book for each entity, with all that its units mention."""
        needs = {entity_no: needs_of(entity_no, entity_units) for entity_no, entity_units in units.items()}
        pairs = [(entity_no, key) for entity_no, need in needs.items() for key in need.keys]
        known = {entity_no: self._memory.peek(entity_no) for entity_no in units}
        wanted = [
            (entity_no, *position)
            for entity_no, need in needs.items()
            for position in _unknown_positions(known[entity_no], need)
        ]
        records, positions = await self._look(list(units), pairs, wanted)
        # One time for the whole batch, not before anything that any of its entities has recorded.
        now = max([clock.adjust(records[0]["now"]), *(record["recorded_time"] for record in records)])
        loaded = Loaded(
            keys=pairs,
            read_at=asyncio.get_running_loop().time(),
            is_plain=all(need.is_plain for need in needs.values()),
        )
        await self._open_books(loaded.books, records, now)
        if any(record["next_expiry"] is not None and record["next_expiry"] <= now for record in records):
            await self._load_due(loaded, needs, now, due_limit)
        if records[0]["has_used_keys"]:
            await self._load_keys(loaded.books, pairs)
        await self._put_positions(loaded.books, wanted, positions)
        await self._load_forgotten(loaded.books, needs, set(wanted))
        if any(need.transaction_nos for need in needs.values()):
            await self._load_transactions(loaded.books, needs)
        await self._load_chart(loaded.books, needs)
        await self._load_reconciliations(loaded.books, needs)
        await self._load_categories(loaded.books, needs)
        return loaded

    def follow(self, loaded: Loaded, units: Mapping[int, Sequence[Unit]]) -> Loaded | None:
        """See application.ports.WriteSession; only new transactions of one entity on known accounts can be foreseen."""
        [(entity_no, book)] = loaded.books.items()
        entity_units = units[entity_no]
        if not all(type(one) is CreateTransaction for unit in entity_units for one in unit.commands or (None,)):
            return None
        needs = needs_of(entity_no, entity_units)
        if any(_unknown_positions(book, needs)) or not needs.category_ids <= book.categories.keys():
            return None
        read_at = asyncio.get_running_loop().time()
        following = Loaded(keys=[(entity_no, key) for key in needs.keys], read_at=read_at)
        now = book.now + timedelta(seconds=read_at - loaded.read_at)
        following.books[entity_no] = _book_of(known_after(book), now)
        return following

    async def still_follows(self, following: Loaded, clock: Clock) -> bool:
        """Nobody else has written to the entity, no key was used before, nothing is due, the clock was not set."""
        [(entity_no, book)] = following.books.items()
        [record], _ = await self._look([entity_no], following.keys, ())
        first = book.events[0].sequence if book.events else book.sequence + 1
        now = clock.adjust(record["now"])
        return (
            record["last_sequence"] == first - 1
            and not record["has_used_keys"]
            and (record["next_expiry"] is None or record["next_expiry"] > max(book.now, now))
            and abs(now - book.now) <= _LONGEST_AHEAD
        )

    async def _look(
        self, entity_nos: Sequence[int], keys: Sequence[tuple[int, str]], positions: Sequence[_Position]
    ) -> tuple[list[Any], list[Any]]:
        """How the entities are, and what is found of these positions."""
        asked = [(*position, self._memory.version(*position[:2])) for position in positions]
        records = await self._fetch("look", entity_nos, *(_columns(keys) or ((), ())), *(_columns(asked) or ((),) * 4))
        # The entities come first, although nobody promises it.
        found = [record for record in records if record["place"]]
        return [record for record in records if not record["place"]] if found else records, found

    async def _open_books(self, books: dict[int, Book], records: Sequence[Any], now: datetime) -> None:
        """A book for each entity with what is remembered of it, if nobody has written to it since."""
        known = {}
        for record in records:
            entity_no, sequence = record["entity_no"], record["last_sequence"]
            known[entity_no] = self._memory.take(entity_no, sequence)
        unknown = [entity_no for entity_no, one in known.items() if one.entity is None]
        if unknown:
            for record in await self._fetch("entities", unknown):
                one = known[record["entity_no"]]
                one.entity, one.sealed, one.peaks = (
                    rows.entity_of(record),
                    record["sealed"] or 0,
                    record["peaks"] or b"",
                )
        for entity_no, one in known.items():
            books[entity_no] = _book_of(one, now)

    async def _load_due(self, loaded: Loaded, needs: dict[int, Needs], now: datetime, limit: int) -> None:
        records = await self._fetch("due", list(loaded.books), now, limit)
        loaded.more_due = len(records) == limit
        for entity_no, transaction_no in records:
            loaded.books[entity_no].due.append(transaction_no)
            needs[entity_no].transaction_nos.add(transaction_no)

    async def _load_keys(self, books: dict[int, Book], pairs: Sequence[tuple[int, str]]) -> None:
        for entity_no, key, sequence, span, digest, refusal in await self._fetch("keys", *_columns(pairs)):
            outcome = Refused(refusal_from(refusal), sequence, replayed=True) if refusal is not None else None
            books[entity_no].keys[key] = KnownKey(digest, sequence, span, outcome)

    async def _load_forgotten(
        self, books: dict[int, Book], needs: dict[int, Needs], asked: Collection[_Position]
    ) -> None:
        """Positions that were not asked for because they were remembered: somebody else has written since."""
        wanted = [
            (entity_no, *position)
            for entity_no, need in needs.items()
            for position in _unknown_positions(books[entity_no], need)
            if (entity_no, *position) not in asked
        ]
        if wanted:
            _, positions = await self._look((), (), wanted)
            await self._put_positions(books, wanted, positions)

    async def _put_positions(
        self, books: dict[int, Book], wanted: Sequence[_Position], positions: Sequence[Any]
    ) -> None:
        versions: dict[_Place, int] = {}
        for record in positions:
            entity_no, _, currency = wanted[record["place"] - 1]
            place = entity_no, record["account_no"]
            head = EMPTY_HEAD if record["number"] is None else rows.head_of(record)
            books[entity_no].heads[place[1], currency] = head
            if record["account_id"] is None:
                versions[place] = record["sequence"]
            else:
                self._keep(books, place, rows.account_of(record, rows.limits_in(record)))
        if versions:
            await self._put_accounts(books, versions)

    async def _load_transactions(self, books: dict[int, Book], needs: dict[int, Needs]) -> None:
        wanted = [(entity_no, number) for entity_no, need in needs.items() for number in need.transaction_nos]
        records = await self._fetch("transactions", *_columns(wanted))
        places = [(record["entity_no"], record["postings_at"]) for record in records]
        if not places:
            return
        postings = rows.postings_of(await self._fetch("postings", *_columns(places)))
        accounts: set[_Place] = set()
        originals: list[_Place] = []
        for record, place in zip(records, places, strict=True):
            transaction = rows.transaction_of(record, postings[place])
            books[place[0]].transactions[transaction.transaction_no] = transaction
            accounts.update((place[0], posting.account_no) for posting in transaction.postings)
            if transaction.status == 3:
                originals.append((place[0], transaction.transaction_no))
        versions = await self._fetch("account_versions", *_columns(accounts))
        await self._put_accounts(books, {(entity_no, number): version for entity_no, number, version in versions})
        await self._load_heads(books, accounts)
        if originals:
            reversals: dict[_Place, set[int]] = {}
            for entity_no, number, leg, amount, by in await self._fetch("reversed", *_columns(originals)):
                books[entity_no].reversed.setdefault(number, {})[leg] = amount
                reversals.setdefault((entity_no, number), set()).update(by)
            for (entity_no, number), found in reversals.items():
                transactions = books[entity_no].transactions
                transactions[number] = transactions[number]._replace(reversed_by=tuple(sorted(found)))

    async def _load_chart(self, books: dict[int, Book], needs: dict[int, Needs]) -> None:
        """What changes of accounts, and edits, need: accounts by id, ancestors, codes, children."""
        wanted: dict[tuple[int, str], bool] = {}
        for entity_no, need in needs.items():
            for account_id in need.account_ids | need.whole_account_ids | need.created_ids:
                wanted[entity_no, account_id] = False
            for account_id in need.parent_ids:
                wanted[entity_no, account_id] = True
        if not wanted:
            return
        asked = [(*account, with_ancestors) for account, with_ancestors in wanted.items()]
        versions = await self._fetch("account_numbers", *_columns(asked))
        await self._put_accounts(books, {(entity_no, number): version for entity_no, number, version in versions})
        await self._load_chart_details(books, needs)

    async def _load_chart_details(self, books: dict[int, Book], needs: dict[int, Needs]) -> None:
        codes = [(entity_no, code) for entity_no, need in needs.items() for code in need.codes]
        if codes:
            for entity_no, code, account_id in await self._fetch("codes", *_columns(codes)):
                books[entity_no].codes[code] = account_id
        whole = _numbers(books, ((entity_no, need.whole_account_ids) for entity_no, need in needs.items()))
        if whole:
            await self._load_heads(books, whole)
            for entity_no, number, children in await self._fetch("open_children", *_columns(whole)):
                books[entity_no].open_children[number] = children
        moved = _numbers(books, ((entity_no, need.moved_ids) for entity_no, need in needs.items()))
        if moved:
            for entity_no, number, height in await self._fetch("heights", *_columns(moved)):
                books[entity_no].heights[number] = height
        created = _numbers(books, ((entity_no, need.created_ids) for entity_no, need in needs.items()))
        if created:
            for entity_no, number, digest in await self._fetch("creations", *_columns(created)):
                books[entity_no].creations[number] = digest

    async def _load_reconciliations(self, books: dict[int, Book], needs: dict[int, Needs]) -> None:
        guarded = [(entity_no, number) for entity_no, need in needs.items() for number in need.guarded_nos]
        if guarded:
            for entity_no, number, account_id in await self._fetch("frozen", *_columns(guarded)):
                books[entity_no].frozen[number] = account_id
        wanted = [
            (entity_no, books[entity_no].accounts[account_id].account_no, currency)
            for entity_no, need in needs.items()
            for account_id, currency in need.reconciliations
            if account_id in books[entity_no].accounts
        ]
        if wanted:
            for entity_no, number, currency, revision in await self._fetch("revisions", *_columns(wanted)):
                books[entity_no].reconciliations[number, currency] = revision

    async def _load_categories(self, books: dict[int, Book], needs: dict[int, Needs]) -> None:
        wanted = [
            (entity_no, category_id)
            for entity_no, need in needs.items()
            for category_id in need.category_ids
            if category_id not in books[entity_no].categories
        ]
        if wanted:
            for record in await self._fetch("categories", *_columns(wanted)):
                category = rows.category_of(record)
                books[record["entity_no"]].categories[category.category_id] = category
        names = [(entity_no, name) for entity_no, need in needs.items() for name in need.category_names]
        if not names:
            return
        for entity_no, name, category_id in await self._fetch("category_names", *_columns(names)):
            books[entity_no].category_names[name] = category_id
        # Who names a category may be creating it once more.
        created = [
            (entity_no, books[entity_no].categories[category_id].category_no)
            for entity_no, need in needs.items()
            for category_id in need.category_ids & books[entity_no].categories.keys()
        ]
        if created:
            for entity_no, number, digest in await self._fetch("creations", *_columns(created)):
                books[entity_no].creations[number] = digest

    async def _load_heads(self, books: dict[int, Book], accounts: Iterable[_Place]) -> None:
        for record in await self._fetch("heads", *_columns(accounts)):
            heads = books[record["entity_no"]].heads
            heads[record["account_no"], record["currency"]] = rows.head_of(record)

    async def _put_accounts(self, books: dict[int, Book], versions: dict[_Place, int]) -> None:
        """Put accounts into the books, from memory where the version is the same."""
        unknown = []
        for place, version in versions.items():
            account = self._memory.account(place, version)
            if account is None:
                unknown.append(place)
            else:
                _index(books[place[0]], account)
        if not unknown:
            return
        limits = rows.limits_of(await self._fetch("limits", *_columns(unknown)))
        for record in await self._fetch("accounts", *_columns(unknown)):
            place = record["entity_no"], record["account_no"]
            self._keep(books, place, rows.account_of(record, limits.get(place, ())))

    def _keep(self, books: dict[int, Book], place: _Place, account: Account) -> None:
        """An account that was read: for its book, and for later ones."""
        self._memory.put_account(place, account)
        _index(books[place[0]], account)

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        records: list[Any] = await self._connection.fetch(QUERIES[name], *arguments)
        return records


def _book_of(known: Known, now: datetime) -> Book:
    assert known.entity is not None
    return Book(
        known.entity,
        known.sequence,
        now,
        known.accounts,
        known.accounts_by_no,
        known.heads,
        categories=known.categories,
        sealed=known.sealed,
        peaks=known.peaks,
    )


def _unknown_positions(known: Known | Book | None, needs: Needs) -> Iterator[tuple[str, str]]:
    """Accounts with currencies of which not both the account and its newest entry are known."""
    if known is None:
        yield from needs.positions
        return
    accounts, heads = known.accounts, known.heads
    for account_id, currency in needs.positions:
        account = accounts.get(account_id)
        if account is None or (account.account_no, currency) not in heads:
            yield account_id, currency


def _index(book: Book, account: Account) -> None:
    book.accounts[account.account_id] = account
    book.accounts_by_no[account.account_no] = account


def _numbers(books: dict[int, Book], wanted: Iterable[tuple[int, set[str]]]) -> list[_Place]:
    """Places of those accounts that exist."""
    return [
        (entity_no, books[entity_no].accounts[account_id].account_no)
        for entity_no, account_ids in wanted
        for account_id in account_ids
        if account_id in books[entity_no].accounts
    ]


def _columns(tuples: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows as columns: what unnest takes."""
    return list(zip(*tuples, strict=True))
