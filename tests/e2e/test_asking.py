"""Questions over gRPC: each number of each answer is worked out again in plain Python from the listed transactions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from ledger.v1 import question_pb2 as pb
from tests.helpers.servers import Service, cloned, serving
from tests.questions.ledger import ZONE, seed
from tests.questions.notation import load
from tests.questions.reference import Books, Reference, read_books, told, told_summaries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres


class Asked:
    """A seeded service, and its books as the API lists them."""

    def __init__(self, service: Service, entity: str, books: Books) -> None:
        self.service = service
        self.entity = entity
        self.books = books

    async def ask(self, question: str) -> pb.AskTransactionsResponse:
        answer: pb.AskTransactionsResponse = await self.service.client.transactions.AskTransactions(
            pb.AskTransactionsRequest(entity_id=self.entity, question=question)
        )
        return answer


@pytest.fixture(scope="module")
async def asked(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Asked]:
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        entity = await seed(service.client, service.clock)
        yield Asked(service, entity, await read_books(service.client, entity, ZONE))


QUESTIONS = [
    case
    for name in ("tuned.txt", "held_out.txt")
    for case in load(name)
    if not case.expected.startswith(("unclear", "which"))
]
_MONEY = re.compile(r"-?[$€][\d,]+\.\d\d|-?[\d,]+ JPY")


def plain(message: Any) -> str:
    """An amount as answers write it."""
    whole, _, decimals = message.amount.lstrip("-").partition(".")
    sign = "-" if message.amount.startswith("-") else ""
    digits = f"{int(whole):,}" + (f".{decimals}" if decimals else "")
    symbol = {"USD": "$", "EUR": "€"}.get(message.currency)
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{digits} {message.currency}"


def amounts_of(answer: pb.AskTransactionsResponse) -> set[str]:
    """Every amount that the data of an answer has."""
    summaries = [*answer.summaries, *answer.compared_summaries, *(group.summary for group in answer.groups)]
    found = {
        plain(one)
        for each in summaries
        for one in (each.total, each.average, each.largest, each.smallest)
        if one.currency
    }
    return found | {plain(line.amount) for line in answer.transactions}


@pytest.mark.parametrize("question", [case.question for case in QUESTIONS])
async def test_numbers_are_those_of_an_independent_computation(asked: Asked, question: str) -> None:
    answer = await asked.ask(question)
    assert answer.understood, answer.response
    plan = answer.plan
    reference = Reference(asked.books, plan)
    period = plan.period if plan.HasField("period") else None
    assert told_summaries(answer.summaries) == reference.summaries(period)
    assert answer.transaction_count == reference.count(period)
    if plan.comparison.HasField("period"):
        assert answer.compared_transaction_count == reference.count(plan.comparison.period)
        assert told_summaries(answer.compared_summaries) == reference.summaries(plan.comparison.period)
    if plan.grouping == pb.QUESTION_GROUPING_UNSPECIFIED:
        listed = [(one.id, one.amount.currency, one.amount.amount) for one in answer.transactions]
        expected = [(id_, currency, str(amount)) for id_, currency, amount in reference.listed()]
        assert listed == expected
    else:
        groups = reference.groups()
        got = {(group.key, group.summary.total.currency): told(group.summary) for group in answer.groups}
        assert got.items() <= groups.items()
        assert answer.group_count == len(groups)
        currencies = {currency for _, currency in groups}
        assert len(got) == sum(min(plan.limit, sum(each == currency for _, each in groups)) for currency in currencies)
    if not plan.HasField("comparison") and not plan.filters.HasField("amount"):
        assert set(_MONEY.findall(answer.response)) <= amounts_of(answer), answer.response
