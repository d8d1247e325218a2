"""What a document is called when it is saved."""

from __future__ import annotations

from ledger_service.application.reconciling.report import Report


def file_name(report: Report, suffix: str) -> str:
    """Such as "reconciliation-acc_bank-EUR-2026-06-30.csv": ids of accounts have letters, digits, - _ . only."""
    return f"reconciliation-{report.account_id}-{report.currency}-{report.until.isoformat()}.{suffix}"
