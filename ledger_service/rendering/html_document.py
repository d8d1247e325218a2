"""A report as one page to read and to print: no script, nothing from elsewhere, everything escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ledger_service.application.reconciling.report import OpenItem, Report
from ledger_service.rendering import words
from ledger_service.rendering.week_chart import chart_of

_CHUNK_PIECES = 5_000
_MINUS = "\N{MINUS SIGN}"
_LONG_AMOUNT = 24


def to_html(report: Report) -> bytes:
    """The page, in UTF-8, made for A4: the statement with its proof to be signed, then what it rests on.

    Lines on paper are the same for the same report. It is read without a network, and its policy forbids any.
    """
    ledger_side, statement_side = words.sides(report.open_items)
    document = bytearray()
    stream = _template().stream(
        report=report,
        equation=report.equation,
        words=words,
        chart=chart_of(report.weeks, report.exponent),
        open_sides=(
            ("Recorded, not on the statement", "transaction", ledger_side, _sum(ledger_side)),
            ("On the statement, not recorded", "line", statement_side, _sum(statement_side)),
        ),
        adjusted=report.equation.statement_balance + sum(term.of(report.equation) for term in words.TIMING),
        unexplained=words.unexplained(report.equation),
        amount=lambda units: _amount(units, report.exponent),
        marked=lambda units: _marked(units, report.exponent),
    )
    # Encoded piece by piece: as one text, characters beyond Latin would quadruple it.
    stream.enable_buffering(_CHUNK_PIECES)
    for piece in stream:
        document += piece.encode()
    return bytes(document)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("ledger_service.rendering"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = words.printable
    return environment.get_template("report.html")


def _sum(items: list[OpenItem]) -> int:
    return sum(item.amount for item in items)


def _amount(units: int, exponent: int) -> Markup:
    """The amount with a proper minus; a very long one may be broken after a comma, or it would leave the paper."""
    text = words.grouped(units, exponent).replace("-", _MINUS)
    if len(text) > _LONG_AMOUNT:
        return Markup(text.replace(",", ",<wbr>"))  # noqa: S704 - digits, commas, point and minus only
    return Markup(text)  # noqa: S704 - the same


def _marked(units: int, exponent: int) -> Markup:
    """A cell's attributes and content: negative amounts are marked for the eye, 0 is set back."""
    kind = "n neg" if units < 0 else "n nil" if units == 0 else "n"
    return Markup('<td class="{}">{}</td>').format(kind, _amount(units, exponent))
