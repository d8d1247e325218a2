"""SearchTransactions: what its comments promise, and what no text in a query or a description may do."""

from __future__ import annotations

import random
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import transaction_pb2
from ledger.v1 import transaction_service_pb2 as transactions
from tests.helpers.builders import (
    CLEARED,
    CREDIT,
    DEBIT,
    EXPIRED,
    PENDING,
    POSTED,
    VOIDED,
    money,
    new_accounts,
    new_entity,
    posting,
    timestamp,
    transfer,
    unique,
)
from tests.helpers.rpc import Client, Refused, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.helpers.servers import Service

MAY = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)

Transaction = transaction_pb2.Transaction


async def office(client: Client) -> str:
    """An entity with accounts."""
    entity = await new_entity(client)
    await new_accounts(client, entity, ["cash", "shop", "other", "vault", "safe"])
    return entity


async def pay(client: Client, entity: str, description: str, amount: str = "1.00", **fields: Any) -> Transaction:
    request = transfer(entity, "cash", "shop", amount, description=description, **fields)
    return (await client.transactions.CreateTransaction(request)).transaction


async def change(client: Client, method: str, entity: str, transaction_id: str, **fields: Any) -> Any:
    kind = getattr(transactions, f"{method}Request")
    request = kind(entity_id=entity, transaction_id=transaction_id, idempotency_key=unique("key"), **fields)
    return await getattr(client.transactions, method)(request)


async def approve(client: Client, entity: str, transaction_id: str, amount: str = "") -> None:
    request = transactions.ApproveTransactionsRequest(entity_id=entity, idempotency_key=unique("key"))
    approval = request.approvals.add(transaction_id=transaction_id)
    if amount:
        approval.amount.CopyFrom(money(amount))
    await client.transactions.ApproveTransactions(request)


async def search(client: Client, entity: str, query: str = "", **fields: Any) -> Any:
    request = transactions.SearchTransactionsRequest(entity_id=entity, query=query, **fields)
    return await client.transactions.SearchTransactions(request)


async def found(client: Client, entity: str, query: str = "", **fields: Any) -> list[str]:
    """Descriptions of what is found, newest first."""
    answer = await search(client, entity, query, **fields)
    assert answer.total_size == len(answer.transactions)
    return [each.description for each in answer.transactions]


# Words.


MATCHES = {
    "Office supplies for May": ["office", "SUPPLIES office", "off*", "may sup*", '"office supplies"', "OFF* 'may'"],
    "Café Žluťoučký kůň": ["cafe", "CAFÉ", "zlutoucky KUN", "žlut*", '"café zlutoucky"', "Cafe\u0301"],
    "Invoice INV-2023-001": ["INV-2023-001", "inv", "2023", "001", '"inv-2023"', "INV-2023-0*", "inv/2023"],
    "Payment to acme.com/billing": ["acme.com", "acme", "acme.co*", "com/bill*", '"acme com billing"', "acme,com"],
    "ann.lee+rent@mail.example": ["ann.lee", "rent", "ann.lee+rent@mail.example", "mail.ex*", '"lee rent mail"'],
    "Refund <Ann Lee> & R&D; <b>bold</b>": ["ann", "<ann lee>", '"refund ann lee"', "R&D", "b bold", "bo*"],
    "O'Brien's \\server\\share C:\\temp": [
        "o'brien",
        "O\u2019Brien",
        "brien",
        "\\server",
        "c:\\te*",
        '"server\\share"',
    ],
    "en–dash—and… “quotes” «guillemets» № 5": ["en", "dash", "quotes", "guillemets", "№5", "№ 5", "en–dash", "dash—*"],
    "1,234.56 or 1e5 or 12e3x or 0042": ["1,234.56", "1e5", "1e*", "12e3x", "12e*", "0042", "004*"],
    "Привет МИР ΑΒΓΔ": ["ПРИВЕТ", "мир", "αβγδ", "при*"],
    "漢字 家賃、五月": ["漢字", "家賃", "五月", "漢*", '"家賃 五月"'],
    "إيجار مايو שכר דירה": ["إيجار", "مايو", "שכר", '"שכר דירה"', "דיר*"],
    "ﬁne ＦＵＬＬ Ⅳ ²": ["fine", "full", "iv", "2"],  # noqa: RUF001
    "🎉party🎉 time ☕coffee": ["party", "coffee", '"party time"', "cof*", "🎉 party"],
    "tabs\tand\nlines": ["tabs lines", '"tabs and lines"'],
    "under_score x=y a|b ~home {z} [w] 50% $5 #7 ^up `tick`": [
        "under",
        "score",
        "x y",
        "b",
        "home",
        "z w",
        "50",
        "7",
        "tick",
    ],
    "select * from x; drop table y -- '); ": ["select", "drop", '"drop table"', "'); drop", "--table"],
    "a & b | !c <-> (d:* e:A)": ["a b", "c", "d:*", "!c", "(d", "e:A", "a & b", "<-> d"],
    "entity1 entity2 entity": ["entity1", "entity", '"entity1 entity2"'],
    "x" * 1000: ["x" * 1000, "x*", "x" * 999 + "*"],
    " ".join(f"word{number}" for number in range(120)): ["word0 word119", "word11*", '"word5 word6 word7"'],
}

MISSES = [
    ("Office supplies", ["office rent", "fice", "suppl", '"supplies office"', '"office for"', "offices*"]),
    ("a b c", ['"a c"', "ab", "d", "a d*"]),
    ("no letter", ["漢", "x" * 999, "漢" * 700, "ↁ", "ↁ*", '"ↁ"']),
    ("entity", ["entity1", "entity2", "entity1*", "entities", "#1", '"entity entity"']),
    ("1 2", ["11", "21", "3*"]),
    ("", ["a*", "empty"]),
]


async def test_what_finds_a_description(client: Client) -> None:
    """Each among all the others."""
    entity = await office(client)
    for description in MATCHES:
        await pay(client, entity, description)
    for description, queries in MATCHES.items():
        for query in queries:
            assert description in await found(client, entity, query), f"{query!r} does not find {description!r}"


async def test_what_does_not_find_it(client: Client) -> None:
    entity = await office(client)
    for description, queries in MISSES:
        await pay(client, entity, description)
        for query in queries:
            assert description not in await found(client, entity, query), f"{query!r} finds {description!r}"


async def test_all_words_and_phrases_must_hold(client: Client) -> None:
    entity = await office(client)
    for description in ("rent of May", "rent of June", "rent of May and June", "May rent"):
        await pay(client, entity, description)
    assert await found(client, entity, "rent may") == ["May rent", "rent of May and June", "rent of May"]
    assert await found(client, entity, '"rent of" june') == ["rent of May and June", "rent of June"]
    assert await found(client, entity, '"may rent"') == ["May rent"]
    assert await found(client, entity, '"rent of may" "and june"') == ["rent of May and June"]
    assert await found(client, entity, "ju* m*") == ["rent of May and June"]
    assert len(await found(client, entity)) == 4


async def test_query_of_any_printable_text_is_answered(client: Client) -> None:
    """Found or not, or refused by name: no text is an operator, and none is a fault."""
    entity = await office(client)
    await pay(client, entity, "plain text")
    chance = random.Random(11)
    signs = "ab1 \"*'\\&|!:<>()-_.,;@#%^~`{}[]/?=+$€№–\u2019…ßÅ漢🎉אب\u0301ↁ²\u00a0"
    answered = 0
    for _ in range(400):
        query = "".join(chance.choice(signs) for _ in range(chance.randint(1, 12)))
        try:
            answer = await search(client, entity, query)
        except Refused as refused:
            said = refused.reason, refused.metadata["field"]
        else:
            said = None
            answered += 1
            assert answer.total_size in (0, 1)
        assert said in (None, ("INVALID_ARGUMENT", "query")), query
    assert answered > 100


async def test_words_beyond_the_limit_of_their_number(client: Client) -> None:
    entity = await office(client)
    await pay(client, entity, "rent")
    assert await found(client, entity, "rent " * 32) == ["rent"]
    refused = await refusal(search(client, entity, "rent " * 33))
    assert (refused.reason, refused.metadata["field"]) == ("INVALID_ARGUMENT", "query")


# Filters.


async def test_the_present_description_decides(client: Client) -> None:
    entity = await office(client)
    held = await pay(client, entity, "first words", status=PENDING)
    await change(client, "EditTransaction", entity, held.id, description="second thoughts")
    assert await found(client, entity, "first") == []
    assert await found(client, entity, "second") == ["second thoughts"]
    await change(client, "EditTransaction", entity, held.id, description="first words")
    assert await found(client, entity, "first") == ["first words"]
    assert await found(client, entity, "words") == ["first words"]
    await change(client, "EditTransaction", entity, held.id, debit_account_id="other")
    await change(client, "ClearTransaction", entity, held.id)
    await approve(client, entity, held.id)
    answer = await search(client, entity, "first")
    assert [(each.id, each.status, each.revision) for each in answer.transactions] == [(held.id, POSTED, 6)]
    empty = await pay(client, entity, "gone soon", status=PENDING)
    await change(client, "EditTransaction", entity, empty.id, description="")
    assert await found(client, entity, "gone") == []
    assert await found(client, entity) == ["", "first words"]


async def test_ended_ones_are_left_out_unless_asked_for(service: Service) -> None:
    client = service.client
    entity = await office(client)
    deadline = timestamp(service.clock.now() + timedelta(hours=1))
    for status in (PENDING, CLEARED, POSTED):
        await pay(client, entity, f"rent {status}", status=status)
    voided = await pay(client, entity, "rent voided", status=PENDING)
    await change(client, "VoidTransaction", entity, voided.id)
    await pay(client, entity, "rent expired", status=PENDING, expire_time=deadline)
    service.clock.advance(timedelta(hours=2))
    reversed_ = await pay(client, entity, "rent reversed")
    await change(client, "ReverseTransaction", entity, reversed_.id, description="rent back")
    everything = ["rent back", "rent reversed", "rent 3", "rent 2", "rent 1"]
    assert await found(client, entity, "rent") == everything
    assert await found(client, entity) == everything
    for query in ("rent", ""):
        assert await found(client, entity, query, status=VOIDED) == ["rent voided"]
        assert await found(client, entity, query, status=EXPIRED) == ["rent expired"]
        assert await found(client, entity, query, status=PENDING) == ["rent 1"]
        assert await found(client, entity, query, status=CLEARED) == ["rent 2"]
        assert await found(client, entity, query, status=POSTED) == everything[:3]


async def test_effective_times_are_half_open(client: Client) -> None:
    entity = await office(client)
    for days in (0, 1, 2):
        await pay(client, entity, f"rent {days}", effective_time=timestamp(MAY + days * DAY))
    for query in ("rent", ""):
        assert await found(client, entity, query, effective_from=timestamp(MAY + DAY)) == ["rent 2", "rent 1"]
        assert await found(client, entity, query, effective_before=timestamp(MAY + DAY)) == ["rent 0"]
        between = {"effective_from": timestamp(MAY + DAY), "effective_before": timestamp(MAY + 2 * DAY)}
        assert await found(client, entity, query, **between) == ["rent 1"]


AMOUNTS = {
    "usd": ("USD", "250.00"),
    "usd more": ("USD", "250.01"),
    "yen": ("JPY", "250"),
    "dinar": ("KWD", "249.999"),
    "bitcoin": ("BTC", "250.00000001"),
    "ether": ("ETH", "0.000000000000000001"),
    "huge": ("USD", "9" * 36 + ".99"),
}


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"amount_min": "250"}, {"usd", "usd more", "yen", "bitcoin", "huge"}),
        ({"amount_max": "250"}, {"usd", "yen", "dinar", "ether"}),
        ({"amount_min": "250", "amount_max": "250.000"}, {"usd", "yen"}),
        ({"amount_min": "250.005"}, {"usd more", "huge"}),
        ({"amount_max": "250.005"}, {"usd", "yen", "dinar", "bitcoin", "ether"}),
        ({"amount_min": "249.9995", "amount_max": "250.0000000100"}, {"usd", "yen", "bitcoin"}),
        ({"amount_min": "0.5", "amount_max": "249.9995"}, {"dinar"}),
        ({"amount_min": "0", "amount_max": "0"}, set()),
        ({"amount_max": "0.000000000000000001"}, {"ether"}),
        ({"amount_min": "1" + "0" * 35}, {"huge"}),
        ({"amount_max": "9" * 38}, set(AMOUNTS)),
        ({"amount_min": "9" * 38}, set()),
    ],
    # Sets are written in another order in each process.
    ids=lambda value: str(value) if isinstance(value, dict) else str(len(value)),
)
async def test_amounts_in_their_own_currency(client: Client, bounds: dict[str, str], expected: set[str]) -> None:
    """However many decimals a bound has: between two units it lies between them."""
    entity = await office(client)
    for description, (currency, amount) in AMOUNTS.items():
        accounts = ("vault", "safe") if description == "huge" else ("cash", "shop")
        request = transfer(entity, *accounts, amount, currency=currency, description=description)
        await client.transactions.CreateTransaction(request)
    assert set(await found(client, entity, **bounds)) == expected


async def test_amount_is_the_sum_of_debits_and_of_one_currency(client: Client) -> None:
    entity = await office(client)
    request = transactions.CreateTransactionRequest(
        entity_id=entity,
        idempotency_key=unique("key"),
        description="many legs",
        postings=[
            posting("cash", DEBIT, "60.00"),
            posting("other", DEBIT, "40.00"),
            posting("shop", CREDIT, "100.00"),
            posting("cash", DEBIT, "7", "JPY"),
            posting("shop", CREDIT, "7", "JPY"),
        ],
    )
    held = (await client.transactions.CreateTransaction(request)).transaction
    assert await found(client, entity, amount_min="100", amount_max="100") == ["many legs"]
    assert await found(client, entity, amount_min="7", amount_max="7") == ["many legs"]
    # Neither its USD nor its JPY do both.
    assert await found(client, entity, amount_min="8", amount_max="99") == []
    await change(client, "EditTransaction", entity, held.id, account_ids=["other", "cash", "shop", "cash", "shop"])
    await change(client, "VoidTransaction", entity, held.id)
    assert await found(client, entity, amount_min="100", amount_max="100", status=VOIDED) == ["many legs"]


async def test_amount_that_was_approved_counts(client: Client) -> None:
    entity = await office(client)
    held = await pay(client, entity, "in part", "100.00", status=PENDING)
    await approve(client, entity, held.id, "30.00")
    assert await found(client, entity, amount_min="30", amount_max="30") == ["in part"]
    assert await found(client, entity, amount_min="30.01") == []


async def test_other_entities_are_never_found(client: Client) -> None:
    mine, theirs = await office(client), await office(client)
    await pay(client, theirs, "their rent")
    await pay(client, mine, "my rent")
    assert await found(client, mine, "rent") == ["my rent"]
    assert await found(client, mine) == ["my rent"]
    for number in range(10):
        for word in (f"entity{number}", f"#{number}", f"{number}*"):
            assert await found(client, mine, word) == []
    assert await found(client, mine, "ent*") == await found(client, mine, "their*") == []


# Pages.


async def test_pages_and_totals(client: Client) -> None:
    entity = await office(client)
    for number in range(45):
        await pay(client, entity, f"rent {number}")
    first = await search(client, entity, "rent")
    assert (first.total_size, first.more_than_total, first.page, first.page_size) == (45, False, 1, 20)
    pages = [await search(client, entity, "rent", page=page) for page in (1, 2, 3, 4)]
    assert [len(page.transactions) for page in pages] == [20, 20, 5, 0]
    assert {page.total_size for page in pages} == {45}
    told = [each.description for page in pages for each in page.transactions]
    assert told == [f"rent {number}" for number in reversed(range(45))]
    one = await search(client, entity, "rent", page=45, page_size=1)
    assert [each.description for each in one.transactions] == ["rent 0"]
    beyond = await search(client, entity, "rent", page=10_000, page_size=1)
    assert (list(beyond.transactions), beyond.total_size) == ([], 45)


async def test_up_to_ten_thousand(client: Client) -> None:
    """Counted and paged through that far, and said where there are more."""
    entity = await office(client)
    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    batch.requests.extend(
        transfer("", "cash", "shop", "1.00", description=f"rent {number}") for number in range(10_000)
    )
    await client.transactions.BatchCreateTransactions(batch)
    for query in ("rent", ""):
        last = await search(client, entity, query, page=10, page_size=1000)
        assert (last.total_size, last.more_than_total) == (10_000, False)
        assert [last.transactions[place].description for place in (0, -1)] == ["rent 999", "rent 0"]
    await pay(client, entity, "rent and one")
    for query in ("rent", ""):
        first = await search(client, entity, query, page=1, page_size=1)
        assert (first.total_size, first.more_than_total) == (10_000, True)
        assert first.transactions[0].description == "rent and one"
        last = await search(client, entity, query, page=10, page_size=1000)
        assert [last.transactions[place].description for place in (0, -1)] == ["rent 1000", "rent 1"]
        odd = await search(client, entity, query, page=3334, page_size=3)
        assert [each.description for each in odd.transactions] == ["rent 1"]
        refused = await refusal(search(client, entity, query, page=3335, page_size=3))
        assert (refused.reason, refused.metadata["field"]) == ("INVALID_ARGUMENT", "page")
    assert (await search(client, entity, '"and one"')).total_size == 1


# Against another way of finding the same.


WORDS = [
    "rent",
    "Rent",
    "RÉNT",
    "office",
    "off",
    "acme.com",
    "INV-2023-001",
    "kůň",
    "МИР",
    "мир",
    "漢字",
    "o'brien",
    "x&y",
]
SIGNS = [" ", " ", "  ", " - ", ", ", "/", "; ", " <", "> ", "…", " “", "” ", "—", "\t", "\n", " 🎉 "]


def words_of(text: str) -> list[str]:
    """Letters and digits that stand together, small and without accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not "\u0300" <= c <= "\u036f").lower()
    return "".join(c if c.isalnum() else " " for c in plain).split()


def amounts_of(transaction: Transaction) -> dict[str, Decimal]:
    """The sum of its debits by currency."""
    sums: dict[str, Decimal] = {}
    for each in transaction.postings:
        if each.side == DEBIT:
            sums[each.amount.currency] = sums.get(each.amount.currency, Decimal(0)) + Decimal(each.amount.amount)
    return sums


class Query:
    """A search, and whether it finds a transaction, in another way than the service's."""

    def __init__(self, chance: random.Random) -> None:
        self.words = chance.sample(WORDS, chance.choice([0, 1, 1, 2]))
        self.prefixes = [
            chance.choice(["of", "re", "acme.c", "inv", "к", "漢", "o"]) for _ in range(chance.choice([0, 0, 1]))
        ]
        self.phrases = [" ".join(chance.choices(WORDS, k=2)) for _ in range(chance.choice([0, 0, 0, 1]))]
        self.status = chance.choice([0, 0, 0, PENDING, CLEARED, POSTED, VOIDED, EXPIRED])
        days = sorted(chance.sample(range(-30, 31), 2))
        self.since = chance.choice([None, None, MAY + days[0] * DAY])
        self.before = chance.choice([None, None, MAY + days[1] * DAY])
        bounds = sorted(Decimal(chance.randint(0, 300_000)) / 1000 for _ in range(2))
        self.least = chance.choice([None, None, bounds[0]])
        self.most = chance.choice([None, None, bounds[1]])

    def fields(self) -> dict[str, Any]:
        pieces = [*self.words, *(f"{each}*" for each in self.prefixes), *(f'"{each}"' for each in self.phrases)]
        fields: dict[str, Any] = {"query": " ".join(pieces), "status": self.status}
        if self.since:
            fields["effective_from"] = timestamp(self.since)
        if self.before:
            fields["effective_before"] = timestamp(self.before)
        if self.least is not None:
            fields["amount_min"] = str(self.least)
        if self.most is not None:
            fields["amount_max"] = str(self.most)
        return fields

    def finds(self, one: Transaction) -> bool:
        has = words_of(one.description)
        effective = one.effective_time.ToDatetime(UTC)
        return (
            (one.status == self.status if self.status else one.status in (PENDING, CLEARED, POSTED))
            and (self.since is None or effective >= self.since)
            and (self.before is None or effective < self.before)
            and all(word in has for text in self.words for word in words_of(text))
            and all(_has_prefix(has, words_of(text)) for text in self.prefixes)
            and all(_has_phrase(has, words_of(text)) for text in self.phrases)
            and any(
                (self.least is None or amount >= self.least) and (self.most is None or amount <= self.most)
                for amount in amounts_of(one).values()
            )
        )


def _has_prefix(has: Sequence[str], words: Sequence[str]) -> bool:
    return all(word in has for word in words[:-1]) and any(each.startswith(words[-1]) for each in has)


def _has_phrase(has: Sequence[str], words: Sequence[str]) -> bool:
    return any(list(has[place : place + len(words)]) == list(words) for place in range(len(has)))


async def random_lives(service: Service, chance: random.Random, entity: str, count: int) -> None:
    """That many transactions, with lives of every kind."""
    client = service.client
    now = service.clock.now()

    def description() -> str:
        return "".join(chance.choice(WORDS) + chance.choice(SIGNS) for _ in range(chance.randint(0, 5)))

    batch = transactions.BatchCreateTransactionsRequest(entity_id=entity)
    for _ in range(count):
        status = chance.choice([PENDING, PENDING, CLEARED, POSTED])
        currency, unit = chance.choice([("USD", 100), ("JPY", 1), ("KWD", 1000)])
        amount = str(Decimal(chance.randint(1, 250 * unit)) / unit)
        fields: dict[str, Any] = {"effective_time": timestamp(MAY + chance.randint(-30, 30) * DAY)}
        if status != POSTED and chance.random() < 0.2:
            fields["expire_time"] = timestamp(now + timedelta(hours=1))
        batch.requests.append(
            transfer("", "cash", "shop", amount, currency=currency, status=status, description=description(), **fields)
        )
    created = await client.transactions.BatchCreateTransactions(batch)
    for result in created.results:
        one = result.response.transaction
        is_open = one.status != POSTED
        what = chance.random()
        if what < 0.25 and is_open:
            await change(client, "EditTransaction", entity, one.id, description=description())
        elif what < 0.35 and is_open:
            await change(client, "VoidTransaction", entity, one.id)
        elif what < 0.45 and is_open and one.postings[0].amount.currency == "USD":
            await approve(client, entity, one.id, "0.01")
        elif what < 0.45 and not is_open:
            await change(client, "ReverseTransaction", entity, one.id, description=description())
    service.clock.advance(timedelta(hours=2))
    await pay(client, entity, "rent at the end")


async def every_transaction(client: Client, entity: str) -> list[Transaction]:
    """All of an entity's, newest first."""
    request = transactions.ListTransactionsRequest(entity_id=entity, page_size=1000)
    answer = await client.transactions.ListTransactions(request)
    assert not answer.next_page_token
    return list(answer.transactions)


async def test_the_same_as_by_looking_at_each(service: Service) -> None:
    client = service.client
    chance = random.Random(20260501)
    mine, theirs = await office(client), await office(client)
    for entity, count in ((mine, 250), (theirs, 50)):
        await random_lives(service, chance, entity, count)
    everything = await every_transaction(client, mine)
    assert {each.status for each in everything} == {PENDING, CLEARED, POSTED, VOIDED, EXPIRED}
    hits = 0
    for _ in range(200):
        query = Query(chance)
        expected = [one.id for one in everything if query.finds(one)]
        page, size = chance.choice([(1, 1000), (1, 7), (2, 5), (3, 1)])
        answer = await search(client, mine, **query.fields(), page=page, page_size=size)
        assert [one.id for one in answer.transactions] == expected[(page - 1) * size : page * size], query.fields()
        assert answer.total_size == len(expected), query.fields()
        hits += bool(expected)
    assert hits > 50
