"""A pure model of the contract in protos/ledger/v1: predicts the answer to every call.

Written from the comments of the protos, not from the service, and in another way on purpose: nothing is
kept that can be added up (a balance is the sum over all entries, every time), a failed write is undone by
going back to a copy, and time is what the caller says. Slow, and obvious.
"""

from tests.helpers.model.commands import (
    Approval,
    Approve,
    Clear,
    Create,
    Edit,
    Leg,
    Part,
    Reverse,
    SetLimits,
    SetState,
    Void,
)
from tests.helpers.model.ledger import Ledger
from tests.helpers.model.reads import Moment
from tests.helpers.model.views import Account, BalanceView, Done, Event, Limit, Refusal, Totals, View

__all__ = [
    "Account",
    "Approval",
    "Approve",
    "BalanceView",
    "Clear",
    "Create",
    "Done",
    "Edit",
    "Event",
    "Ledger",
    "Leg",
    "Limit",
    "Moment",
    "Part",
    "Refusal",
    "Reverse",
    "SetLimits",
    "SetState",
    "Totals",
    "View",
    "Void",
]
