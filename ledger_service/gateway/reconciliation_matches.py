"""Handlers of /v1/reconciliations that match: the profile, runs of it, and what people decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger_service.application.reconciling.records import RawCharge, RawProfile, RawRule
from ledger_service.gateway import reconciliation_outgoing as out
from ledger_service.gateway.endpoint import Answer, Call, Services
from ledger_service.gateway.outgoing import page
from ledger_service.gateway.reconciliations import place
from ledger_service.matching.model import Rule, RuleKind


async def profile(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/profile."""
    context, record, is_default = await services.use_cases.reconciling.profile(call.principal, place(call))
    return Answer({"profile": out.profile(context, record), "isDefault": is_default})


async def update_profile(services: Services, call: Call) -> Answer:
    """PATCH /v1/reconciliations/profile: the members that are sent."""
    context, record, replayed = await services.use_cases.reconciling.update_profile(
        call.principal, place(call), profile=raw_profile(call.body), fields=list(call.body), idempotency_key=call.key
    )
    return Answer({"profile": out.profile(context, record)}, replayed=replayed)


async def run(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/run."""
    context, found = await services.use_cases.reconciling.run(call.principal, place(call), idempotency_key=call.key)
    return Answer(
        {
            "matched": out.matched(context.exponent, found.matched),
            "findings": out.finding_counts(context, found.findings),
            "openLines": found.open_lines,
            "openTransactions": found.open_transactions,
            "writeOffs": found.write_offs,
            "clearedTransactions": found.cleared,
            "undoneMatches": found.undone,
            "revision": found.revision,
        },
        replayed=found.replayed,
    )


async def matches(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/matches."""
    query = call.query
    context, found, token = await services.use_cases.reconciling.matches(
        call.principal,
        place(call),
        state=query.get("state", 0),
        rule=query.get("rule", ""),
        size=query.get("pageSize", 0),
        token=query.get("cursor", ""),
    )
    return Answer(page("matches", [out.match(context, one) for one in found], token))


async def findings(services: Services, call: Call) -> Answer:
    """GET /v1/reconciliations/findings."""
    query = call.query
    context, found, token = await services.use_cases.reconciling.findings(
        call.principal,
        place(call),
        kind=query.get("kind", ""),
        size=query.get("pageSize", 0),
        token=query.get("cursor", ""),
    )
    return Answer(page("findings", [out.finding(context, one) for one in found], token))


async def create_match(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/matches."""
    body = call.body
    context, record, replayed = await services.use_cases.reconciling.create_match(
        call.principal,
        place(call),
        lines=body.get("lines", ()),
        transactions=body.get("transactions", ()),
        write_off_account_id=body.get("write_off_account_id", ""),
        write_off_description=body.get("write_off_description", ""),
        note=body.get("note", ""),
        idempotency_key=call.key,
    )
    return Answer({"match": out.match(context, record)}, replayed=replayed)


async def confirm(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/matches/confirm."""
    body = call.body
    context, done = await services.use_cases.reconciling.confirm(
        call.principal,
        place(call),
        matches=body.get("matches", ()),
        with_write_offs=body.get("with_write_offs", False),
        note=body.get("note", ""),
        idempotency_key=call.key,
    )
    return Answer(
        {
            "confirmed": done.confirmed,
            "writeOffs": done.write_offs,
            "clearedTransactions": done.cleared,
            "failures": [out.failure(context, one) for one in done.failures],
            "revision": done.revision,
        },
        replayed=done.replayed,
    )


async def reject(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/matches/reject."""
    _, done = await services.use_cases.reconciling.reject(
        call.principal,
        place(call),
        matches=call.body["matches"],
        note=call.body.get("note", ""),
        idempotency_key=call.key,
    )
    return Answer({"rejected": done.matches, "revision": done.revision}, replayed=done.replayed)


async def undo(services: Services, call: Call) -> Answer:
    """POST /v1/reconciliations/matches/undo."""
    _, done = await services.use_cases.reconciling.undo(
        call.principal,
        place(call),
        matches=call.body["matches"],
        note=call.body.get("note", ""),
        idempotency_key=call.key,
    )
    return Answer({"undone": done.matches, "revision": done.revision}, replayed=done.replayed)


def raw_profile(body: Mapping[str, Any]) -> RawProfile:
    """What was sent of a profile; what a rule leaves out is as usual."""
    return RawProfile(
        rules=tuple(map(_rule, body.get("rules", ()))),
        charges=tuple(
            RawCharge(one["name"], one["pattern"], one.get("sign", 0), one["account_id"], one["description"])
            for one in body.get("charges", ())
        ),
        difference_account_id=body.get("difference_account_id", ""),
        difference_description=body.get("difference_description", ""),
        is_inverted=body.get("is_inverted", False),
        clears_transactions=body.get("clears_transactions", False),
        csv_mapping=body.get("csv_mapping", {}),
    )


def _rule(sent: Mapping[str, Any]) -> RawRule:
    usual = Rule(RuleKind(sent["kind"]))
    return RawRule(
        kind=sent["kind"],
        days=sent.get("days", usual.days),
        tolerance=sent.get("tolerance", "0"),
        tolerance_ppm=sent.get("tolerance_ppm", usual.tolerance_ppm),
        similarity=sent.get("similarity", usual.similarity),
        most=sent.get("most", usual.most),
        auto_confirm=sent.get("auto_confirm", usual.auto_confirm),
    )
