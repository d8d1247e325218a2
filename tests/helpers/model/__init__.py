"""A pure model of the contract in protos/ledger/v1: predicts the answer to every call.

Written from the comments of the protos, not from the service, and in another way on purpose: nothing is
kept that can be added up (a balance is the sum over all entries, every time), a failed write is undone by
going back to a copy, and time is what the caller says. Slow, and obvious.
"""

from tests.helpers.model.commands import (
    Approval,
    Approve,
    ArchiveCategory,
    Categorize,
    Clear,
    Create,
    CreateCategory,
    Edit,
    Leg,
    OfCategory,
    Part,
    RenameCategory,
    Reverse,
    SetLimits,
    SetState,
    Void,
)
from tests.helpers.model.ledger import Ledger
from tests.helpers.model.reads import Moment
from tests.helpers.model.views import Account, BalanceView, Category, Done, Event, Limit, Refusal, Totals, View

__all__ = [
    "Account",
    "Approval",
    "Approve",
    "ArchiveCategory",
    "BalanceView",
    "Categorize",
    "Category",
    "Clear",
    "Create",
    "CreateCategory",
    "Done",
    "Edit",
    "Event",
    "Ledger",
    "Leg",
    "Limit",
    "Moment",
    "OfCategory",
    "Part",
    "Refusal",
    "RenameCategory",
    "Reverse",
    "SetLimits",
    "SetState",
    "Totals",
    "View",
    "Void",
]
