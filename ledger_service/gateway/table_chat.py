"""The endpoint of the transaction chat."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

from ledger_service.application.asking import plan
from ledger_service.application.asking.plan import MAX_LISTED, MAX_QUESTION
from ledger_service.application.asking.vocabulary import Kind
from ledger_service.domain.errors import Reason
from ledger_service.domain.transaction import Status
from ledger_service.gateway.chat import chat
from ledger_service.gateway.endpoint import Endpoint, Good, Parameter
from ledger_service.gateway.parameters import ENTITY
from ledger_service.gateway.schemas import EXAMPLE_TRANSACTION, MAX_INT64, always
from ledger_service.gateway.shapes import Boolean, Choice, Integer, ListOf, Member, Money, Object, OrNull, Text
from ledger_service.gateway.times import Day, Time

_TEXT = Text()
_EXAMPLE_SUMMARY = {
    "total_amount": Decimal("3245.75"), "transaction_count": 8, "average_amount": Decimal("405.72"),
}  # fmt: skip
_EXAMPLE_LINE = {name: EXAMPLE_TRANSACTION[name] for name in ("id", "description", "amount", "timestamp")}


def _words(of: type[Enum]) -> Choice:
    return Choice(tuple(str(one.value) for one in of))


_SUMMARY = Object(
    (
        always("total_amount", Money(), "The sum of all that matched."),
        always("transaction_count", Integer(0, MAX_INT64), "How many matched."),
        always("average_amount", Money(), "The sum by their number, rounded half to even."),
        Member("currency", _TEXT, "The currency, if it is not USD."),
    ),
    name="ChatSummary",
    example=_EXAMPLE_SUMMARY,
)
_LINE = Object(
    (
        always("id", _TEXT, "The transaction."),
        always("description", _TEXT, "Its description."),
        always("amount", Money(), "Its amount, in the sense of the question."),
        always("timestamp", Time(), "When it happened."),
        Member("currency", _TEXT, "The currency, if it is not USD."),
    ),
    name="ChatTransaction",
    example=_EXAMPLE_LINE,
)
_GROUP = Object((
    always("key", _TEXT, 'The id, day, month …; "" for what has none.'),
    always("name", _TEXT, "What people call it."),
    always("summary", _SUMMARY, "What came of it."),
))  # fmt: skip
_NAMED = Object((always("id", _TEXT, "Its id or key."), always("name", _TEXT, "What people call it.")))
_PERIOD = Object(
    (
        always("said", _TEXT, "How the question put it."),
        Member("firstDay", Day(), "The first day, in the entity's time zone."),
        Member("from", Time(), "Its first moment."),
        Member("beforeDay", Day(), "The day after the last one."),
        Member("before", Time(), "Its first moment."),
    ),
    name="ChatPeriod",
)
_PLAN = Object(
    (
        always("measure", _words(plan.Measure), "What is wanted of the transactions."),
        always("direction", _words(plan.Direction), "Whose amounts are meant."),
        Member(
            "filters",
            Object(
                (
                    Member("categories", ListOf(_NAMED), "Any of these categories."),
                    Member("accounts", ListOf(_NAMED), "Any of these accounts."),
                    Member("counterparties", ListOf(_NAMED), "Any of these counterparties."),
                    Member("uncategorized", Boolean(), "Only those without a category."),
                    Member("texts", ListOf(_TEXT), "Any of these texts in the description."),
                    Member("statuses", ListOf(Choice(tuple(one.name for one in Status))), "Any of these statuses."),
                    Member("currency", _TEXT, "Only this currency."),
                    Member(
                        "amount",
                        Object(
                            (
                                always("comparator", _words(plan.Comparator), "How it is compared."),
                                always("amount", _TEXT, "With what."),
                                Member("upper", _TEXT, "With `between`: the other bound."),
                            )
                        ),
                        "A condition on the amount.",
                    ),
                )
            ),
            "Which transactions; all must hold.",
        ),
        Member("period", _PERIOD, "When."),
        Member("grouping", _words(plan.Grouping), "By what they are told apart."),
        always("order", _words(plan.Order), "What comes first."),
        always("limit", Integer(1, MAX_LISTED), "How many are listed."),
        Member(
            "comparison",
            Object(
                (
                    always("outcome", _words(plan.Outcome), "What the comparison asks for."),
                    Member("period", _PERIOD, "Held against this period."),
                    Member("amount", _TEXT, "Held against this amount."),
                )
            ),
            "What the result is held against.",
        ),
    ),
    name="ChatPlan",
    description="How the question was understood. Numbers and names of the answer come from the ledger's rows alone.",
)

CHAT = (
    Endpoint(
        "GET", "/v1/transactions/chat", "AskTransactions", "Transactions", "Ask a question about transactions", chat,
        Good(
            200, "The answer, and how the question was understood.",
            Object((
                always("response", _TEXT, "The answer in words."),
                always(
                    "data",
                    Object((
                        always("transactions", ListOf(_LINE), "Those that the answer speaks of."),
                        always("summary", OrNull(_SUMMARY), "Of all that matched; null if it was not understood."),
                        Member("summaries", ListOf(_SUMMARY), "If there are several currencies: each."),
                        Member("comparedSummaries", ListOf(_SUMMARY), "Of the period compared with."),
                        Member("groups", ListOf(_GROUP), "If the question asks for groups."),
                    )),
                    "The rows that it was worded from.",
                ),
                always("understood", Boolean(), "Whether the question was understood."),
                always("planner", _TEXT, "Who made the plan: `default`, or the model's name."),
                Member("plan", _PLAN, "How it was understood."),
                Member("examples", ListOf(_TEXT), "If it was not: questions that can be answered."),
                Member(
                    "candidates",
                    ListOf(Object((always("kind", _words(Kind), "What it is."), *_NAMED.members))),
                    "If a name may mean several things: these.",
                ),
                Member("plannerFallback", _TEXT, "Why the configured model's plan was not taken."),
            )),
            {
                "response": "In May 2023, you spent a total of $3,245.75 on office supplies across 8 transactions.",
                "data": {"transactions": [_EXAMPLE_LINE], "summary": _EXAMPLE_SUMMARY},
                "understood": True,
                "planner": "default",
                "plan": {
                    "measure": "sum", "direction": "spent",
                    "filters": {"categories": [{"id": "cat_123abc", "name": "Office Supplies"}]},
                    "period": {
                        "said": "in May 2023", "firstDay": "2023-05-01", "from": "2023-05-01T00:00:00Z",
                        "beforeDay": "2023-06-01", "before": "2023-06-01T00:00:00Z",
                    },
                    "order": "largest_first", "limit": 10,
                },
            },
        ),
        "In plain English. The question is turned into a plan, the plan is run on the ledger, and the answer is "
        "worded from the rows. What is not understood is said, with questions that can be answered.",
        parameters=(
            ENTITY,
            Parameter(
                "prompt", Text(MAX_QUESTION, 1), "The question.", "How much did I spend on rent in May 2023?",
                required=True,
            ),
        ),
        reasons=(Reason.ENTITY_NOT_FOUND, Reason.QUERY_TOO_BROAD, Reason.QUEUE_FULL),
        fields={"question": "prompt"},
    ),
)  # fmt: skip
