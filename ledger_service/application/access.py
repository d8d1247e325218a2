"""Who may do what: scopes and entity grants come from the credential, what a method needs from one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ledger_service.domain.errors import LedgerError, Reason


class Scope(str, Enum):
    """What a credential may be used for; ADMIN alone does not imply the others."""

    READ = "read"
    WRITE = "write"
    APPROVE = "approve"
    REVERSE = "reverse"
    CLOSE = "close"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: `name` is written into the history; `entity_ids` None: every entity."""

    name: str
    scopes: frozenset[Scope]
    entity_ids: frozenset[str] | None

    def has_grant(self, entity_id: str) -> bool:
        """Whether it may see the entity at all."""
        return self.entity_ids is None or entity_id in self.entity_ids


SCOPES: dict[str, Scope] = {
    "CreateEntity": Scope.ADMIN,
    "GetEntity": Scope.READ,
    "ListEntities": Scope.READ,
    "UpdateEntity": Scope.ADMIN,
    "ArchiveEntity": Scope.ADMIN,
    "GetCheckpoint": Scope.READ,
    "GetConsistencyProof": Scope.READ,
    "CreateAccount": Scope.WRITE,
    "BatchCreateAccounts": Scope.WRITE,
    "GetAccount": Scope.READ,
    "ListAccounts": Scope.READ,
    "UpdateAccount": Scope.WRITE,
    "FreezeAccount": Scope.CLOSE,
    "UnfreezeAccount": Scope.CLOSE,
    "CloseAccount": Scope.CLOSE,
    "GetBalance": Scope.READ,
    "BatchGetBalances": Scope.READ,
    "ListEntries": Scope.READ,
    "CreateTransaction": Scope.WRITE,
    "BatchCreateTransactions": Scope.WRITE,
    "StreamCreateTransactions": Scope.WRITE,
    "GetTransaction": Scope.READ,
    "GetTransactionProof": Scope.READ,
    "LookUpTransaction": Scope.READ,
    "ListTransactions": Scope.READ,
    "SearchTransactions": Scope.READ,
    "ListCounterparties": Scope.READ,
    "EditTransaction": Scope.WRITE,
    "ApproveTransactions": Scope.APPROVE,
    "ClearTransaction": Scope.WRITE,
    "VoidTransaction": Scope.WRITE,
    "ReverseTransaction": Scope.REVERSE,
    "CategorizeTransaction": Scope.WRITE,
    "ListTransactionRevisions": Scope.READ,
    "WatchTransactions": Scope.READ,
    "AskTransactions": Scope.READ,
    "CreateCategory": Scope.WRITE,
    "GetCategory": Scope.READ,
    "ListCategories": Scope.READ,
    "UpdateCategory": Scope.WRITE,
    "ArchiveCategory": Scope.WRITE,
    "StartReconciliation": Scope.WRITE,
    "GetReconciliationProfile": Scope.READ,
    "UpdateReconciliationProfile": Scope.WRITE,
    "ImportStatement": Scope.WRITE,
    "ListStatements": Scope.READ,
    "ListStatementLines": Scope.READ,
    "ListLedgerItems": Scope.READ,
    "RunMatching": Scope.WRITE,
    "ListMatches": Scope.READ,
    "ListFindings": Scope.READ,
    "CreateMatch": Scope.WRITE,
    "ConfirmMatches": Scope.WRITE,
    "RejectMatches": Scope.WRITE,
    "UndoMatches": Scope.WRITE,
    "GetReconciliation": Scope.READ,
    "ExportReconciliation": Scope.READ,
    "ListReconciliations": Scope.READ,
    "CloseReconciliation": Scope.CLOSE,
    "ReopenReconciliation": Scope.CLOSE,
}
"""The scope that each method needs. A method without an entry keeps the server from starting."""


def authorize(principal: Principal, method: str, entity_id: str | None = None) -> None:
    """Raises LedgerError PERMISSION_DENIED, the same whether or not the entity exists."""
    require(principal, SCOPES[method], entity_id)


def require(principal: Principal, scope: Scope, entity_id: str | None = None) -> None:
    """Raises LedgerError PERMISSION_DENIED unless the credential has the scope and the entity's grant."""
    if scope not in principal.scopes:
        raise LedgerError(
            Reason.PERMISSION_DENIED,
            f"this credential lacks the scope '{scope.value}'; use one that has it",
            {"scope": scope.value},
        )
    if entity_id is not None and not principal.has_grant(entity_id):
        raise LedgerError(
            Reason.PERMISSION_DENIED,
            "this credential has no grant for this entity; use one that has it",
            {"scope": scope.value},
        )
