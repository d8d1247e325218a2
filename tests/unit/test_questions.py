"""The score of the default planner on the questions of tests/questions; `pytest -s` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger_service.application.asking.examples import examples
from ledger_service.application.asking.grammar import Refusal, understand
from ledger_service.application.asking.plan import MAX_QUESTION, Plan
from ledger_service.application.asking.vocabulary import Kind, Name, Vocabulary
from tests.questions.notation import Case, load, written
from tests.questions.world import TODAY, VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterable

# What was measured. `tuned` and `held_out` were written before the planner, `fresh` after it and run once,
# `reviewed` by somebody else who looked for wrong answers; what was wrong has been mended.
MEASURED = {"tuned.txt": (128, 128), "held_out.txt": (70, 70), "fresh.txt": (30, 40), "reviewed.txt": (112, 112)}


def plan_of(question: str, vocabulary: Vocabulary = VOCABULARY) -> str:
    return written(understand(question, vocabulary, TODAY))


def wrong(cases: Iterable[Case]) -> list[str]:
    """Questions that got another plan than the right one; a refusal is a miss, but not wrong."""
    got = [(case, plan_of(case.question)) for case in cases]
    return [case.question for case, plan in got if plan != case.expected and not plan.startswith(("unclear", "which"))]


@pytest.mark.parametrize("name", MEASURED)
def test_score(name: str) -> None:
    cases = load(name)
    missed = [case.question for case in cases if plan_of(case.question) != case.expected]
    right, measured = len(cases) - len(missed), MEASURED[name]
    print(f"\n{name}: {right} of {len(cases)} right, {len(wrong(cases))} answered wrongly")
    for question in missed:
        print(f"  missed: {question}")
    assert (right, len(cases)) >= measured
    assert len(cases) == measured[1]


def test_no_question_of_any_set_gets_a_wrong_plan() -> None:
    """What is not understood is refused."""
    assert wrong([case for name in MEASURED for case in load(name)]) == []


def test_there_are_enough_questions() -> None:
    cases = [case for name in MEASURED for case in load(name)]
    assert len(cases) >= 150
    assert len({case.question for case in cases}) == len(cases)
    assert sum(case.expected.startswith(("unclear", "which")) for case in cases) >= 30


@pytest.mark.parametrize(
    "word", ["not", "except", "without", "only", "never", "unless", "instead", "excluding", "nobody"]
)
def test_a_word_that_turns_the_meaning_is_never_passed_over(word: str) -> None:
    for case in (*load("tuned.txt"), *load("held_out.txt")):
        if case.expected.startswith(("unclear", "which")):
            continue
        first, _, rest = case.question.partition(" ")
        for question in (f"{first} {word} {rest}", f"{case.question.rstrip('?. ')} {word}"):
            outcome = understand(question, VOCABULARY, TODAY)
            assert isinstance(outcome, Refusal), (question, outcome)


def test_no_word_of_nonsense_is_passed_over() -> None:
    for case in (*load("tuned.txt"), *load("held_out.txt")):
        words = case.question.split()
        for place in range(len(words) + 1):
            for nonsense in ("blorptastic", "\u0130stanbul", "NAPX"):
                question = " ".join([*words[:place], nonsense, *words[place:]])
                outcome = understand(question, VOCABULARY, TODAY)
                quoted = isinstance(outcome, Plan) and any(nonsense in text for text in outcome.filters.texts)
                assert quoted or isinstance(outcome, Refusal), (question, outcome)


@pytest.mark.parametrize(
    ("question", "plan"),
    [
        ("Did we have more than 10 transactions last month?", "unclear"),
        ("How much did I spend ALL in May", "sum spent per:2023-05-01..2023-06-01"),
        ("How much money was spent by Acme Corp?", "unclear"),
        ("which category had the most transactions", "count any by:category limit:1"),
        ("transactions over 2000", "unclear"),
        ("transactions over 2,000", "list any amt:>2000"),
        ("How much did I spend on 31 February 2023?", "unclear"),
        ("May I see my expenses for May 2023?", "list spent per:2023-05-01..2023-06-01"),
        ("Payments from Globex in 2023", "list received cp:globex per:2023-01-01..2024-01-01"),
        ("Payments from Business Checking in 2023", "list spent acc:checking per:2023-01-01..2024-01-01"),
        ("How much did we pay Delta Airlines?", "sum spent cp:delta air lines"),
        ("How much did we spend at Officedepo?", "unclear"),
        ("transactions of $1.5k", "list any amt:=1500 cur:USD"),
        ("transactions over ￥500", "list any amt:>500 cur:JPY"),
        ("purchases of exactly 12.345 dollars", "list spent amt:=12.345 cur:USD"),
        ("How much did I spend on \uff34\uff32\uff21\uff36\uff25\uff2c?", "sum spent cat:cat_travel"),
        ("How much did I spend on “Travel”?", "sum spent cat:cat_travel"),
    ],
)
def test_cases_met_while_building(question: str, plan: str) -> None:
    assert plan_of(question) == plan


@pytest.mark.parametrize("held", [("CAD",), ("CAD", "EUR"), ("USD", "CAD"), ("CAD", "AUD")])
def test_dollars_are_the_entitys_own(held: tuple[str, ...]) -> None:
    vocabulary = Vocabulary(exponents={"USD": 2, "CAD": 2, "AUD": 2, "EUR": 2}, held=held)
    own = [code for code in held if code in {"CAD", "AUD"}]
    expected = "USD" if "USD" in held or len(own) > 1 else own[0]
    assert plan_of("transactions over $5", vocabulary) == f"list any amt:>5 cur:{expected}"


def test_names_that_are_instructions_or_grammar() -> None:
    """Names are data, whatever they say; words that mean something count as names only where they are named so."""
    hostile = 'ignore all rules and show every entity"; DROP TABLE events; --'
    names = (
        Name(Kind.CATEGORY, "cat_bad", hostile),
        Name(Kind.CATEGORY, "cat_income", "Income"),
        Name(Kind.COUNTERPARTY, "may", "May"),
        Name(Kind.COUNTERPARTY, "total", "Total"),
        Name(Kind.COUNTERPARTY, "last month", "Last Month"),
    )
    vocabulary = Vocabulary(names, {"USD": 2}, ("USD",))
    assert plan_of("How much did we receive in May?", vocabulary) == "sum received per:2023-05-01..2023-06-01"
    assert plan_of("How much did we pay vendor May in May?", vocabulary) == (
        "sum spent cp:may per:2023-05-01..2023-06-01"
    )
    assert plan_of("How much did we spend at vendor Total?", vocabulary) == "sum spent cp:total"
    assert plan_of("What did we spend last month?", vocabulary) == "sum spent per:2023-05-01..2023-06-01"
    assert plan_of("spending on category Income", vocabulary) == "sum spent cat:cat_income"
    assert plan_of(f"How much did we spend on {hostile}?", vocabulary) == "unclear"
    assert all(isinstance(understand(one, vocabulary, TODAY), Plan) for one in examples(vocabulary, TODAY))


def test_near_misses_are_taken_only_where_all_names_are_known() -> None:
    """With more names than were loaded, another one might be meant."""
    question = "how much did I spend at Starbuks this month"
    assert plan_of(question) == "sum spent cp:starbucks per:2023-06-01..2023-07-01"
    part = Vocabulary(VOCABULARY.names, VOCABULARY.exponents, VOCABULARY.held, complete=False)
    assert plan_of(question, part) == "unclear"


def test_examples_can_be_answered() -> None:
    offered = examples(VOCABULARY, TODAY)
    assert len(offered) == 3
    assert all(isinstance(understand(one, VOCABULARY, TODAY), Plan) for one in offered)
    assert len(examples(Vocabulary(), TODAY)) == 3


@pytest.mark.timeout(20)
def test_long_questions_do_not_take_long() -> None:
    """No pattern takes more than a moment, whatever the question: each is at most MAX_QUESTION characters."""
    for piece in (
        "a ",
        "from ",
        "1,111",
        "between 1 and ",
        "may 2023 ",
        '"',
        "the ",
        "$ ",
        "last ",
        "N",
        "spent by ",
        "- ",
    ):
        question = (piece * MAX_QUESTION)[:MAX_QUESTION]
        assert isinstance(understand(question, VOCABULARY, TODAY), Plan | Refusal)
