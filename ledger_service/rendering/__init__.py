"""A reconciliation's report as a document: CSV, XLSX, a page to print, JSON. Pure: a report in, bytes out.

Nothing here knows the time, a server or a database; the same report gives the same bytes. Renderers of large reports
take seconds of one core: run them where they hold up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ledger_service.application.reconciling.report import Report
from ledger_service.rendering.csv_document import to_csv
from ledger_service.rendering.html_document import to_html
from ledger_service.rendering.json_document import json_bytes, to_json
from ledger_service.rendering.xlsx_document import to_xlsx

__all__ = ["FORMATS", "Format", "to_csv", "to_html", "to_json", "to_xlsx"]


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of document.

    `media_type` is for Content-Type, `suffix` for file names, without a dot. `render` may be sent to another process.
    """

    name: str
    media_type: str
    suffix: str
    render: Callable[[Report], bytes]


FORMATS: Mapping[str, Format] = MappingProxyType({
    one.name: one
    for one in (
        Format("csv", "text/csv; charset=utf-8; header=present", "csv", to_csv),
        Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", to_xlsx),
        Format("html", "text/html; charset=utf-8", "html", to_html),
        Format("json", "application/json", "json", json_bytes),
    )
})  # fmt: skip
"""Every kind of document, by the name that callers ask for it with."""
