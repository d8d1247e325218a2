"""The endpoints of /v1/reconciliations that match: the profile, runs of it, and what people decide."""

from __future__ import annotations

from decimal import Decimal

from ledger_service.application.reconciling.records import MatchState
from ledger_service.domain.errors import Reason
from ledger_service.gateway import reconciliation_bodies as bodies
from ledger_service.gateway import reconciliation_matches as handlers
from ledger_service.gateway.endpoint import Body, Endpoint, Good, Handler, Parameter
from ledger_service.gateway.parameters import PAGING
from ledger_service.gateway.reconciliation_parameters import PLACE, READ, TAG, WRITE
from ledger_service.gateway.reconciliation_schemas import (
    COUNT,
    EXAMPLE_FAILURE,
    EXAMPLE_FINDING,
    EXAMPLE_FINDING_COUNT,
    EXAMPLE_ID,
    EXAMPLE_MATCH,
    EXAMPLE_MATCHED,
    EXAMPLE_PROFILE,
    FAILURE,
    FINDING,
    FINDING_COUNT,
    FINDINGS,
    MATCH,
    MATCHED,
    PROFILE,
    REVISION,
    RULES,
    answered,
)
from ledger_service.gateway.schemas import page_example, page_of, wrapped
from ledger_service.gateway.shapes import Boolean, Choice, ListOf

_MATCH_STATES = Choice(tuple(state.name for state in MatchState), {state.name: int(state) for state in MatchState})
_DECIDE = (*WRITE, Reason.MATCH_NOT_FOUND, Reason.INVALID_MATCH_STATE)
_REVISION = ("revision", REVISION, "The reconciliation's revision after it.")


def _decision(verb: str, method: str, summary: str, run: Handler, done: str, *reasons: Reason) -> Endpoint:
    return Endpoint(
        "POST", f"/v1/reconciliations/matches/{verb}", method, TAG, summary, run,
        Good(200, "How many.", answered((done, COUNT, "How many."), _REVISION), {done: 1, "revision": 12}),
        parameters=PLACE,
        body=Body(bodies.DECIDE, {verb: {"matchNumbers": [4], "note": "another payment of the same amount"}}),
        reasons=(*_DECIDE, *reasons),
        is_write=True,
    )  # fmt: skip


MATCHING = (
    Endpoint(
        "GET", "/v1/reconciliations/profile", "GetReconciliationProfile", TAG, "Read how an account is matched",
        handlers.profile,
        Good(
            200, "The profile.",
            wrapped(
                "profile", PROFILE, "As it is now.",
                *answered(("isDefault", Boolean(), "Whether none was ever set.")).members,
            ),
            {"isDefault": False, "profile": EXAMPLE_PROFILE},
        ),
        parameters=PLACE,
        reasons=READ,
    ),
    Endpoint(
        "PATCH", "/v1/reconciliations/profile", "UpdateReconciliationProfile", TAG, "Change how an account is matched",
        handlers.update_profile,
        Good(200, "The profile as it is now.", wrapped("profile", PROFILE, "As it is now."),
             {"profile": EXAMPLE_PROFILE}),
        "Only the members that are sent are changed; what is matched stays so.",
        parameters=PLACE,
        body=Body(bodies.PROFILE, {
            "rules and fees": {
                "rules": [
                    {"kind": "REFERENCE", "autoConfirm": True},
                    {"kind": "AMOUNT_AND_COUNTERPARTY", "days": 5, "tolerance": Decimal("0.05")},
                    {"kind": "ONE_LINE_TO_MANY", "most": 50},
                ],
                "charges": EXAMPLE_PROFILE["charges"],
            },
        }),
        reasons=(*WRITE, Reason.UNKNOWN_CURRENCY),
        is_write=True,
        fields=bodies.PROFILE_FIELDS,
    ),
    Endpoint(
        "POST", "/v1/reconciliations/run", "RunMatching", TAG, "Match what is open", handlers.run,
        Good(
            200, "What was found.",
            answered(
                ("matched", ListOf(MATCHED), "By rule."),
                ("findings", ListOf(FINDING_COUNT), "By kind."),
                ("openLines", COUNT, "How many lines stay open."),
                ("openTransactions", COUNT, "How many transactions stay open."),
                ("writeOffs", COUNT, "How many write-offs are proposed."),
                ("clearedTransactions", COUNT, "How many transactions were set CLEARED."),
                ("undoneMatches", COUNT, "How many matches of before were undone: a transaction is no longer there."),
                _REVISION,
            ),
            {
                "matched": [EXAMPLE_MATCHED], "findings": [EXAMPLE_FINDING_COUNT], "openLines": 3,
                "openTransactions": 4, "writeOffs": 1, "clearedTransactions": 0, "undoneMatches": 0, "revision": 3,
            },
        ),
        "Runs the profile's rules over all that is open, and proposes matches and write-offs.",
        parameters=PLACE,
        reasons=(*WRITE, Reason.WORK_TOO_LARGE),
        is_write=True,
    ),
    Endpoint(
        "GET", "/v1/reconciliations/matches", "ListMatches", TAG, "List matches, by number", handlers.matches,
        Good(200, "A page.", page_of("matches", MATCH), page_example("matches", EXAMPLE_MATCH)),
        parameters=(
            *PLACE,
            Parameter("state", _MATCH_STATES, "Only in this state.", "PROPOSED"),
            Parameter("rule", RULES, "Only by this rule.", "REFERENCE"),
            *PAGING,
        ),
        reasons=(*READ, Reason.INVALID_PAGE_TOKEN),
    ),
    Endpoint(
        "POST", "/v1/reconciliations/matches", "CreateMatch", TAG, "Put lines and transactions together by hand",
        handlers.create_match,
        Good(
            200, "The match.", wrapped("match", MATCH, "As recorded."),
            {"match": {**EXAMPLE_MATCH, "rule": "MANUAL", "state": "CONFIRMED"}},
        ),
        "At least two together, or one line and a write-off. Without a write-off it is CONFIRMED at once, whatever the "
        "difference; with one it is PROPOSED until it is confirmed.",
        parameters=PLACE,
        body=Body(bodies.CREATE_MATCH, {
            "a pair": {"lineNumbers": [17], "transactionIds": [EXAMPLE_ID]},
            "a fee": {"lineNumbers": [18], "writeOffAccountId": "acc_fees", "writeOffDescription": "Bank fee"},
        }),
        reasons=(*WRITE, Reason.ITEM_NOT_OPEN, Reason.TRANSACTION_NOT_FOUND),
        is_write=True,
    ),
    Endpoint(
        "POST", "/v1/reconciliations/matches/confirm", "ConfirmMatches", TAG, "Confirm matches", handlers.confirm,
        Good(
            200, "What was confirmed; what was refused is told, and the rest stands.",
            answered(
                ("confirmed", COUNT, "How many matches are CONFIRMED by it."),
                ("writeOffs", COUNT, "How many write-offs were booked."),
                ("clearedTransactions", COUNT, "How many transactions were set CLEARED."),
                ("failures", ListOf(FAILURE), "What was refused; at most 1,000."),
                _REVISION,
            ),
            {
                "confirmed": 31, "writeOffs": 1, "clearedTransactions": 3, "failures": [EXAMPLE_FAILURE],
                "revision": 4,
            },
        ),
        "Books their write-offs, which needs the scope `approve` as well, and sets their PENDING transactions CLEARED "
        "if the profile says so.",
        parameters=PLACE,
        body=Body(bodies.CONFIRM, {"some": {"matchNumbers": [4, 9]}, "all": {"withWriteOffs": True}}),
        reasons=_DECIDE,
        is_write=True,
    ),
    _decision(
        "reject", "RejectMatches", "Say that proposed matches are wrong, for good", handlers.reject, "rejected"
    ),
    _decision(
        "undo", "UndoMatches", "Take matches apart again", handlers.undo, "undone", Reason.RECONCILIATION_CLOSED
    ),
    Endpoint(
        "GET", "/v1/reconciliations/findings", "ListFindings", TAG, "List what the last run found", handlers.findings,
        Good(200, "A page.", page_of("findings", FINDING), page_example("findings", EXAMPLE_FINDING)),
        "About what is still so.",
        parameters=(*PLACE, Parameter("kind", FINDINGS, "Only of this kind.", "AMOUNT_DIFFERS"), *PAGING),
        reasons=(*READ, Reason.INVALID_PAGE_TOKEN),
    ),
)  # fmt: skip
