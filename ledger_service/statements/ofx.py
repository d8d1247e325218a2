"""OFX 1 (SGML) and OFX 2 (XML), and QFX, which is either with a number of Intuit's."""

from __future__ import annotations

import html
import re
from datetime import date
from decimal import Decimal

from ledger_service.statements.decoding import decode
from ledger_service.statements.gathering import Gathering
from ledger_service.statements.model import Balance, Line, Statement, StatementFile
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.tree import Element, HandOver, TreeBuilder, read_xml
from ledger_service.statements.values import amount_of, currency_code, day, distinct, plain

# A list's bookings and the answer around it: of a bank account, of a credit card.
_BRANCHES = {
    "STMTTRN": frozenset({"BANKTRANLIST"}),
    "STMTTRNP": frozenset({"BANKTRANLISTP"}),
    "STMTRS": frozenset({"STMTTRNRS"}),
    "CCSTMTRS": frozenset({"CCSTMTTRNRS"}),
}
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_.]{0,63})>")
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)


def read_ofx(data: bytes) -> StatementFile:
    """All statements of the file."""
    gathering = Gathering()
    lines: list[Line] = []

    def branch(element: Element, inside: list[Element]) -> None:
        if element.tag not in {"STMTTRN", "STMTTRNP"}:
            gathering.add(_statement(element, tuple(lines), currency_code(element.value("CURDEF"), element.line)))
            lines.clear()
            return
        gathering.count_line(element.line)
        if len(inside) < 2 or inside[-2].tag not in _BRANCHES:
            raise refusal(element.line, "a booking outside a statement")
        # The currency stands before the bookings.
        lines.append(_line(element, currency_code(inside[-2].value("CURDEF"), inside[-2].line)))

    is_xml = b"<?xml" in data[:200] or b"<?OFX" in data[:2000]
    if is_xml:
        read_xml(data, _BRANCHES, branch)
    else:
        _read_sgml(decode(data), branch)
    if lines:
        raise refusal(lines[0].line, "a booking outside a statement")
    name = "QFX" if b"<INTU.BID>" in data[:20_000] else "OFX 2" if is_xml else "OFX 1"
    return gathering.file(name)


def _statement(element: Element, lines: tuple[Line, ...], currency: str) -> Statement:
    balance = element.find("LEDGERBAL")
    closing = None
    if balance is not None:
        closing = Balance(_amount(balance, "BALAMT", currency), _day(balance, "DTASOF"), balance.line)
    return Statement(
        line=element.line,
        account=plain(element.value("BANKACCTFROM/ACCTID", "CCACCTFROM/ACCTID"), element.line),
        currency=currency,
        number="",
        # OFX states the balance at its end only.
        opening=None,
        closing=closing,
        lines=lines,
    )


def _line(element: Element, currency: str) -> Line:
    foreign = element.value("CURRENCY/CURSYM")
    if foreign and foreign.upper() != currency:
        raise refusal(element.line, f"a booking in {shown(foreign)} in a statement in {currency}")
    booked = _day(element, "DTPOSTED", "DTTRAN")
    return Line(
        line=element.line,
        booking_date=booked,
        value_date=_day(element, "DTAVAIL") if element.value("DTAVAIL") else booked,
        amount=_amount(element, "TRNAMT", currency),
        counterparty=plain(element.value("NAME", "PAYEE/NAME", "EXTDNAME"), element.line),
        counterparty_account=plain(element.value("BANKACCTTO/ACCTID", "CCACCTTO/ACCTID"), element.line),
        references=distinct((element.value(tag) for tag in ("REFNUM", "CHECKNUM", "FITID")), element.line),
        text=plain(element.value("MEMO", "EXTDNAME"), element.line),
        bank_code=plain(element.value("TRNTYPE"), element.line),
        raw=element.raw,
        booked=element.tag == "STMTTRN",
    )


def _amount(element: Element, tag: str, currency: str) -> Decimal:
    text = element.value(tag)
    if not text:
        raise refusal(element.line, f"{element.tag} without {tag}")
    # Some banks write the comma of their country; with both, which is which would be a guess.
    return amount_of(text.replace(",", ".") if "." not in text else text, currency, element.line)


def _day(element: Element, *tags: str) -> date:
    """The day that YYYYMMDD[HHMMSS[.XXX][[zone]]] names, as the bank wrote it."""
    text = element.value(*tags)
    match = _DAY.match(text)
    if match is None:
        raise refusal(element.line, f'{"/".join(tags)}: {shown(text)} is not a date such as "20260131"')
    return day(int(match[1]), int(match[2]), int(match[3]), element.line)


def _read_sgml(text: str, branch: HandOver) -> None:
    """OFX 1: an element with text may lack its end; it ends where the next tag begins."""
    start = re.search(r"<OFX>", text, re.IGNORECASE)
    if start is None:
        raise refusal(0, "there is no <OFX> in it")
    early = text.find("<", 0, start.start())
    if early >= 0:
        # Else a damaged file in front of a sound one would be left out.
        raise refusal(text.count("\n", 0, early) + 1, "a tag before <OFX>; the file is damaged, fetch it again")
    builder = TreeBuilder(_BRANCHES, branch, lambda begin, end: text[begin:end])
    line, counted = 1, 0
    at = start.start()
    while at < len(text):
        match = _TAG.match(text, at)
        line += text.count("\n", counted, at)
        counted = at
        if match is None:
            raise refusal(line, f'{shown(text[at : at + 40])} is not a tag; a "<" in a text is written &lt;')
        following = text.find("<", match.end())
        if following < 0:
            following = len(text)
        name, content = match.group(2).upper(), text[match.end() : following].strip()
        if match.group(1):
            _close(builder, name, line, match.end())
            if not builder.stack:
                _ends(text, match.end(), line)
                return
        else:
            _make_way(builder, name, at)
            builder.start(name, line, at, {})
            if content:
                builder.text(html.unescape(content), line)
                builder.end(following)
        at = following
    raise refusal(line, "no </OFX> at the end; the file is cut off, fetch it again")


def _ends(text: str, at: int, line: int) -> None:
    """Nothing follows the end but blanks and the mark that DOS programs put at the end of a file."""
    if rest := text[at:].strip("\x1a \t\n"):
        raise refusal(
            line + text.count("\n", at, text.index(rest, at)),
            f"{shown(rest.partition(chr(10))[0])} after </OFX>; if these are several files in one, split it",
        )


def _close(builder: TreeBuilder, name: str, line: int, position: int) -> None:
    """Close `name`; elements left open inside it were empty, so what follows them stands beside them."""
    stack = builder.stack
    while stack and stack[-1].tag != name:
        if len(stack) == 1 or stack[-1].tag in _BRANCHES:
            raise refusal(line, f"</{name}> before the end of <{stack[-1].tag}> of line {stack[-1].line}")
        _close_empty(builder, position)
    if stack:
        builder.end(position)


def _make_way(builder: TreeBuilder, name: str, position: int) -> None:
    """Before a booking or a statement begins, close the empty elements, such as a <DTEND>, between it and its list."""
    parents, stack = _BRANCHES.get(name), builder.stack
    if parents is None or not any(element.tag in parents for element in stack):
        return
    while stack[-1].tag not in parents and stack[-1].tag not in _BRANCHES:
        _close_empty(builder, position)


def _close_empty(builder: TreeBuilder, position: int) -> None:
    empty = builder.stack[-1]
    builder.end(position)
    builder.stack[-1].children.extend(empty.children)
    empty.children = []
