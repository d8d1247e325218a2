"""The use case AskTransactions: authorise, learn the entity's names, plan, run, word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from ledger_service.application.access import Principal, authorize
from ledger_service.application.asking.examples import examples
from ledger_service.application.asking.grammar import Refusal, understand
from ledger_service.application.asking.modelled import plan_by_model
from ledger_service.application.asking.plan import MAX_QUESTION, Plan
from ledger_service.application.asking.ports import AskStore, Known, ModelFailed, PlanModel, Rows
from ledger_service.application.asking.running import arrangement, rows_wanted
from ledger_service.application.asking.vocabulary import MAX_OF_A_KIND, Kind, Name, Vocabulary
from ledger_service.application.asking.wording import Teller, refused
from ledger_service.application.directory import Directory
from ledger_service.application.intake import fields
from ledger_service.application.ports import TooBroad
from ledger_service.domain.account import Entity
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.money import Currencies

_log = structlog.get_logger()

DEFAULT_PLANNER = "default"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was understood, what the ledger has, and both in words.

    Without a plan the question was not understood: `response` says why, `candidates` are the things that a name may
    mean. `examples` are questions that can be answered, given then. `names` are those that the plan speaks of.
    `fallback` says why the configured model's plan was not taken.
    """

    response: str
    plan: Plan | None
    rows: Rows
    names: Mapping[tuple[Kind, str], Name]
    planner: str
    fallback: str = ""
    examples: tuple[str, ...] = ()
    candidates: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class AskLimits:
    """Bounds of a question; see config.Settings."""

    statement_seconds: float
    under_way: int


_NOTHING = Rows()


class Asking:
    """Answers questions; read-only, about one entity at a time."""

    def __init__(
        self,
        store: AskStore,
        directory: Directory,
        currencies: Currencies,
        now: Callable[[], datetime],
        limits: AskLimits,
        model: PlanModel | None = None,
    ) -> None:
        self._store = store
        self._directory = directory
        self._currencies = currencies
        self._now = now
        self._limits = limits
        self._model = model
        self._under_way = 0

    async def ask(self, principal: Principal, entity_id: str, question: str) -> tuple[Entity, Answer]:
        """An answer, also to a question that is not understood.

        Raises LedgerError PERMISSION_DENIED, ENTITY_NOT_FOUND, INVALID_ARGUMENT, QUERY_TOO_BROAD, QUEUE_FULL.
        """
        authorize(principal, "AskTransactions", entity_id)
        fields.line(question, "question", MAX_QUESTION, required=True)
        if not question.strip():
            raise LedgerError(Reason.INVALID_ARGUMENT, "question: is required", {"field": "question"})
        if self._under_way >= self._limits.under_way:
            raise LedgerError(
                Reason.QUEUE_FULL,
                f"{self._limits.under_way} questions are being answered already; try again after a pause",
            )
        self._under_way += 1
        try:
            entity = await self._directory.fresh(entity_id)
            return entity, await self._answer(entity, question)
        except TooBroad as error:
            seconds = f"{self._limits.statement_seconds:g}"
            raise LedgerError(
                Reason.QUERY_TOO_BROAD,
                f"the question could not be answered within {seconds} s; ask about a shorter period",
                {"seconds": seconds},
            ) from error
        finally:
            self._under_way -= 1

    async def _answer(self, entity: Entity, question: str) -> Answer:
        zone = ZoneInfo(entity.time_zone)
        today = self._now().astimezone(zone).date()
        known = await self._store.known_names(entity.entity_no, MAX_OF_A_KIND, self._limits.statement_seconds)
        vocabulary = self._vocabulary(known, zone)
        planner, fallback, planned = DEFAULT_PLANNER, "", None
        if self._model is not None:
            try:
                planned = await plan_by_model(self._model, question, vocabulary, today)
                fallback = "" if planned is not None else "the model has no plan for this question"
            except ModelFailed as error:
                fallback = f"the model could not be used: {error}"
                _log.warning("planner_model_failed", reason=str(error))
        if planned is not None and self._model is not None:
            planner = self._model.name
        understood = planned if planned is not None else understand(question, vocabulary, today)
        if isinstance(understood, Refusal):
            offered = examples(vocabulary, today)
            candidates = understood.unclear.candidates if understood.unclear is not None else ()
            return Answer(refused(understood, offered), None, _NOTHING, {}, planner, fallback, offered, candidates)
        return await self._run(entity, understood, vocabulary, zone, planner, fallback)

    async def _run(
        self, entity: Entity, plan: Plan, vocabulary: Vocabulary, zone: ZoneInfo, planner: str, fallback: str
    ) -> Answer:
        exponents = {code: self._currencies[code] for code in vocabulary.held}
        other = plan.comparison.period if plan.comparison is not None else None
        rows = await self._store.ask(
            entity.entity_no,
            rows_wanted(plan, plan.period, zone, exponents),
            arrangement(plan, zone),
            rows_wanted(plan, other, zone, exponents) if other is not None else None,
            self._limits.statement_seconds,
        )
        named = {
            (kind, id_): vocabulary.by_id[kind, id_]
            for kind, ids in (
                (Kind.CATEGORY, plan.filters.categories),
                (Kind.ACCOUNT, plan.filters.accounts),
                (Kind.COUNTERPARTY, plan.filters.counterparties),
            )
            for id_ in ids
        }
        response = Teller(plan, named, self._currencies, zone).answer(rows)
        return Answer(response, plan, rows, named, planner, fallback)

    def _vocabulary(self, known: Known, zone: ZoneInfo) -> Vocabulary:
        return Vocabulary(
            names=known.names,
            exponents=self._currencies,
            held=known.held,
            complete=known.complete,
            first=known.first.astimezone(zone).date() if known.first is not None else None,
            last=known.last.astimezone(zone).date() if known.last is not None else None,
        )
