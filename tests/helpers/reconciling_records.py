"""What the use cases of reconciliation answer with, for tests of what is made of it: everything set, and nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ledger_service.application.reconciling.records import (
    Confirmed,
    Context,
    Failure,
    FindingCount,
    ItemRecord,
    ItemState,
    LineRecord,
    MatchedCount,
    MatchRecord,
    MatchState,
    ProfileRecord,
    RunRecord,
    StatementRecord,
    Summary,
    WriteOffRecord,
)
from ledger_service.domain.account import Account, AccountState, AccountType, Entity, EntityState
from ledger_service.matching.model import Charge, Finding, FindingKind, Option, Profile, Rule, RuleKind

NOON = datetime(2026, 7, 1, 12, 0, 0, 250_000, tzinfo=UTC)
DAY = date(2026, 6, 30)

ENTITY = Entity(
    entity_no=7, entity_id="acme", name="Acme", time_zone="UTC", state=EntityState.ACTIVE, metadata=None,
    created_time=NOON, updated_time=NOON, sequence=1, revision=1, id_key=b"k" * 32,
)  # fmt: skip
ACCOUNT = Account(
    account_no=3, account_id="acc_bank", type=AccountType.ASSET, code=None, name="Bank", parent_no=None,
    parent_id=None, contra=False, currencies=(), limits=(), state=AccountState.OPEN, metadata=None,
    created_time=NOON, updated_time=NOON, sequence=1, revision=1,
)  # fmt: skip


def context(exponent: int = 2) -> Context:
    """An account in a currency with so many decimals."""
    return Context(ENTITY, ACCOUNT, {0: "JPY", 2: "USD", 3: "KWD"}[exponent], exponent)


PROFILE = ProfileRecord(
    Profile(
        rules=(
            Rule(RuleKind.REFERENCE, auto_confirm=True),
            Rule(RuleKind.MANY_TO_MANY, days=5, tolerance=5, tolerance_ppm=1_000, similarity=90, most=40),
        ),
        charges=(Charge("fees", "fee*", -1, "acc_fees", "Bank fee"),),
        differences=Charge("", "", 0, "acc_differences", "Difference"),
        is_inverted=True,
        clears=True,
    ),
    {"delimiter": ";"},
)
BARE_PROFILE = ProfileRecord(Profile(rules=(Rule(RuleKind.CANCELLED),), clears=False))

STATEMENT = StatementRecord(
    number=2, bank_number="2026-06", bank_account="CZ65", file_name="june.xml", file_sha256=b"\x01" * 32,
    format="MT940", opening_balance=980_000, opening_date=date(2026, 6, 1), closing_balance=-5, closing_date=DAY,
    lines=3, known_lines=1, sum=-980_005, contradictions=("line 4: sums differ",), import_time=NOON, actor="ann",
)  # fmt: skip
BARE_STATEMENT = StatementRecord(
    number=1, bank_number="", bank_account="", file_name="", file_sha256=b"\x02" * 32, format="CSV",
    opening_balance=None, opening_date=None, closing_balance=None, closing_date=None, lines=0, known_lines=0, sum=0,
    contradictions=(), import_time=NOON, actor="ann",
)  # fmt: skip

LINE = LineRecord(
    number=17, statement=2, booking_date=DAY, value_date=date(2026, 7, 1), amount=-25_000, counterparty="Depot",
    counterparty_account="DE02", references=("R1", "R2"), text="Invoice", bank_code="PMNT", raw="<Ntry/>",
    state=ItemState.CONFIRMED, match=4,
)  # fmt: skip
BARE_LINE = LineRecord(
    number=18, statement=2, booking_date=DAY, value_date=DAY, amount=1, counterparty="", counterparty_account="",
    references=(), text="", bank_code="", raw="x", state=ItemState.OPEN, match=0,
)  # fmt: skip

ITEM = ItemRecord(
    transaction_no=9, day=DAY, amount=-25_000, counterparty="Depot", reference="R1", description="Paper", status=2,
    state=ItemState.PROPOSED, match=4,
)  # fmt: skip
BARE_ITEM = ItemRecord(
    transaction_no=10, day=DAY, amount=5, counterparty="", reference="", description="", status=1,
    state=ItemState.OPEN, match=0,
)  # fmt: skip

MATCH = MatchRecord(
    number=4, state=MatchState.CONFIRMED, rule="MANUAL", lines=(17, 18), transactions=(9, 11), difference=-5, score=97,
    why="the same money", write_off=WriteOffRecord("acc_fees", "Bank fee", -5, 11), actor="ann", create_time=NOON,
    decided_by="bob", decide_time=NOON, note="seen",
)  # fmt: skip
PROPOSED = MatchRecord(
    number=5, state=MatchState.PROPOSED, rule="CHARGE", lines=(18,), transactions=(), difference=0, score=100,
    why="a fee", write_off=WriteOffRecord("acc_fees", "Bank fee", 1, 0), actor="ann", create_time=NOON, decided_by="",
    decide_time=None, note="",
)  # fmt: skip
BARE_MATCH = MatchRecord(
    number=6, state=MatchState.UNDONE, rule="CANCELLED", lines=(), transactions=(9, 12), difference=0, score=100,
    why="cancel each other", write_off=None, actor="ann", create_time=NOON, decided_by="", decide_time=None, note="",
)  # fmt: skip

FINDING = Finding(
    FindingKind.AMBIGUOUS, (17,), (9, 10), -25_000, "as good as each other",
    (Option((((17,), (9,)),)), Option((((17,), (10,)), ((18,), (9,))))),
)  # fmt: skip
BARE_FINDING = Finding(FindingKind.MISSING_IN_LEDGER, (18,), (), 1, "on the statement only")

RUN = RunRecord(
    matched=(MatchedCount("REFERENCE", 3, 1, 3, 4, 77),), findings=(FindingCount("CHARGE", 2, 10),), open_lines=1,
    open_transactions=2, write_offs=3, undone=4, cleared=5, revision=6, replayed=False,
)  # fmt: skip
CONFIRMED = Confirmed(
    confirmed=1, write_offs=2, cleared=3, revision=4, replayed=True,
    failures=(Failure(4, 0, "ACCOUNT_CLOSED", "it is closed"), Failure(5, 9, "INVALID_STATUS", "it is VOIDED")),
)  # fmt: skip

SUMMARY = Summary(
    account_id="acc_bank", currency="USD", is_closed=True, until=DAY, statement_balance=-5, ledger_balance=7,
    revision=3, closed_by="carol", is_reopened=True, exponent=2,
)  # fmt: skip
BARE_SUMMARY = Summary("acc_bank", "JPY", is_closed=False, until=None, statement_balance=None, ledger_balance=None,
                       revision=1)  # fmt: skip
