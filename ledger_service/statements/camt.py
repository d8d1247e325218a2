"""ISO 20022 camt.053 (statement) and camt.054 (notification), versions 02 to 13.

The versions differ in where a few things are (a status is a word or has a code inside, a party has its name inside or
one level deeper); both places are looked at.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from ledger_service.statements.gathering import Gathering
from ledger_service.statements.limits import MAX_DETAILS
from ledger_service.statements.model import Balance, Detail, Line, Statement, StatementFile
from ledger_service.statements.refusal import refusal, shown
from ledger_service.statements.tree import Element, read_xml
from ledger_service.statements.values import amount_of, currency_code, distinct, iso_day, plain

NAMESPACE = re.compile(rb"urn:iso:std:iso:20022:tech:xsd:(camt\.05[2-4]\.[0-9]{3}\.[0-9]{2})\b")
_VERSIONS = frozenset(f"{version:02d}" for version in range(2, 14))
_REPORTS = frozenset({"Stmt", "Ntfctn"})
_BRANCHES = {"Ntry": _REPORTS, **dict.fromkeys(_REPORTS, frozenset({"BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn"}))}

# In the order in which they tell whom a payment belongs to: the payer's own, then the banks'.
_REFERENCES = (
    "Refs/EndToEndId",
    "RmtInf/Strd/CdtrRefInf/Ref",
    "Refs/InstrId",
    "Refs/TxId",
    "Refs/UETR",
    "Refs/AcctSvcrRef",
    "Refs/MndtId",
    "Refs/ChqNb",
    "Refs/PmtInfId",
    "Refs/MsgId",
)
_OPENING = ("OPBD", "PRCD", "ITBD")
_CLOSING = ("CLBD", "ITBD")


def read_camt(data: bytes, name: str) -> StatementFile:
    """All statements of a document whose namespace says `name`, such as "camt.053.001.02"."""
    if name.startswith("camt.052") or name[-2:] not in _VERSIONS:
        raise refusal(0, f"it is {name}; camt.053 and camt.054 are read, versions 02 to 13")
    gathering = Gathering()
    lines: list[Line] = []
    currency = ""

    def branch(element: Element, _: list[Element]) -> None:
        nonlocal currency
        if element.tag == "Ntry":
            gathering.count_line(element.line)
            line, of = _line(element, gathering)
            if currency not in {"", of}:
                raise refusal(
                    element.line, f"an entry in {of} between entries in {currency}; an account has one currency"
                )
            currency = of
            lines.append(line)
            return
        gathering.add(_statement(element, tuple(lines), currency, gathering))
        lines.clear()
        currency = ""

    read_xml(data, _BRANCHES, branch)
    if lines:
        raise refusal(lines[0].line, "an entry outside a statement")
    return gathering.file(name)


def _statement(element: Element, lines: tuple[Line, ...], currency: str, gathering: Gathering) -> Statement:
    stated = [(balance.value("Tp/CdOrPrtry/Cd"), balance) for balance in element.all("Bal")]
    # The bank may tell balances in other currencies as well; those of the account count.
    named = element.value("Acct/Ccy") or currency or next((_currency(bal) for _, bal in stated), "")
    if not named:
        raise refusal(element.line, "a statement without a currency")
    named = currency_code(named, element.line)
    if currency not in {"", named}:
        raise refusal(element.line, f"entries in {currency} on an account in {named}")
    own = [(kind, balance) for kind, balance in stated if _currency(balance) == named]
    _check_summary(element, lines, named, gathering)
    return Statement(
        line=element.line,
        account=plain(element.value("Acct/Id/IBAN", "Acct/Id/Othr/Id"), element.line),
        currency=named,
        number=plain(element.value("LglSeqNb", "ElctrncSeqNb", "Id"), element.line),
        opening=_balance(own, _OPENING, last=False),
        closing=_balance(own, _CLOSING, last=True),
        lines=lines,
    )


def _currency(holder: Element) -> str:
    amount = holder.find("Amt")
    return amount.attributes.get("Ccy", "") if amount is not None else ""


def _balance(stated: list[tuple[str, Element]], kinds: tuple[str, ...], *, last: bool) -> Balance | None:
    """The balance of the first kind that is stated; of several interim ones the first opens, the last closes."""
    for kind in kinds:
        found = [balance for name, balance in stated if name == kind]
        if not found:
            continue
        element = found[-1 if last else 0]
        return Balance(_amount(element)[0], _day(element, "Dt"), element.line)
    return None


def _amount(element: Element) -> tuple[Decimal, str]:
    """The signed amount of a balance or an entry, and its currency."""
    amount = element.find("Amt")
    if amount is None:
        raise refusal(element.line, f"{element.tag} without an amount (Amt)")
    currency = currency_code(amount.attributes.get("Ccy", ""), amount.line)
    value = amount_of(amount.text.strip(), currency, amount.line)
    return (value if _is_credit(element) else -value or value), currency


def _is_credit(element: Element) -> bool:
    mark = element.value("CdtDbtInd")
    if mark not in {"CRDT", "DBIT"}:
        raise refusal(element.line, f"{element.tag}: {shown(mark)} is neither CRDT nor DBIT (CdtDbtInd)")
    return mark == "CRDT"


def _day(element: Element, name: str) -> date | None:
    text = element.value(f"{name}/Dt", f"{name}/DtTm")
    return iso_day(text, element.line) if text else None


def _line(entry: Element, gathering: Gathering) -> tuple[Line, str]:
    amount, currency = _amount(entry)
    booked, valued = _day(entry, "BookgDt"), _day(entry, "ValDt")
    day = booked or valued
    if day is None:
        raise refusal(entry.line, "an entry without a booking date and a value date")
    is_credit = _is_credit(entry)
    payments = list(entry.all("NtryDtls/TxDtls"))
    if len(payments) > MAX_DETAILS:
        raise refusal(entry.line, f"an entry of {len(payments):,} payments, more than the {MAX_DETAILS:,} allowed")
    details = tuple(_detail(payment, currency, is_credit=is_credit) for payment in payments)
    _check_batch(entry, amount, details, gathering)
    only = details[0] if len(details) == 1 else None
    own = [entry.value("NtryRef"), entry.value("AcctSvcrRef")]
    batch = [entry.value("NtryDtls/Btch/PmtInfId"), entry.value("NtryDtls/Btch/MsgId")]
    return (
        Line(
            line=entry.line,
            booking_date=day,
            value_date=valued or day,
            amount=amount,
            counterparty=_shared([detail.counterparty for detail in details]),
            counterparty_account=_shared([detail.counterparty_account for detail in details]),
            references=distinct([*(only.references if only else ()), *batch, *own], entry.line),
            text=_shared([detail.text for detail in details]) or plain(entry.value("AddtlNtryInf"), entry.line),
            bank_code=_bank_code(entry),
            raw=entry.raw,
            # A reversal (RvslInd) has its own direction in CdtDbtInd already.
            booked=entry.value("Sts/Cd", "Sts") in {"BOOK", ""},
            details=details if len(details) > 1 else (),
        ),
        currency,
    )


def _shared(values: list[str]) -> str:
    """What all payments of an entry have in common."""
    return values[0] if values and all(value == values[0] for value in values) else ""


def _detail(payment: Element, currency: str, *, is_credit: bool) -> Detail:
    # Money came from the debtor or went to the creditor; a returned payment may name only the other side.
    sides = ("Dbtr", "Cdtr") if is_credit else ("Cdtr", "Dbtr")
    parties = [f"RltdPties/{side}" for side in sides] + [f"RltdPties/Ultmt{side}" for side in sides]
    text = " ".join(found.text.strip() for found in payment.all("RmtInf/Ustrd")) or payment.value("AddtlTxInf")
    return Detail(
        amount=_detail_amount(payment, currency, is_credit=is_credit),
        counterparty=plain(payment.value(*(f"{p}{deep}/Nm" for p in parties for deep in ("", "/Pty"))), payment.line),
        counterparty_account=plain(
            payment.value(*(f"RltdPties/{side}Acct/Id/{kind}" for side in sides for kind in ("IBAN", "Othr/Id"))),
            payment.line,
        ),
        references=distinct((found.text for path in _REFERENCES for found in payment.all(path)), payment.line),
        text=plain(text, payment.line),
    )


def _detail_amount(payment: Element, currency: str, *, is_credit: bool) -> Decimal | None:
    for path in ("", "AmtDtls/TxAmt"):
        holder = payment.find(path) if path else payment
        amount = holder.find("Amt") if holder is not None else None
        if amount is not None and amount.attributes.get("Ccy") == currency:
            value = amount_of(amount.text.strip(), currency, amount.line)
            credited = _is_credit(payment) if payment.value("CdtDbtInd") else is_credit
            return value if credited else -value
    return None


def _bank_code(entry: Element) -> str:
    parts = (
        entry.value("BkTxCd/Domn/Cd"),
        entry.value("BkTxCd/Domn/Fmly/Cd"),
        entry.value("BkTxCd/Domn/Fmly/SubFmlyCd"),
    )
    return plain("/".join(part for part in parts if part) or entry.value("BkTxCd/Prtry/Cd"), entry.line)


def _check_batch(entry: Element, amount: Decimal, details: tuple[Detail, ...], gathering: Gathering) -> None:
    if len(details) < 2:
        return
    amounts = [detail.amount for detail in details if detail.amount is not None]
    if len(amounts) == len(details):
        gathering.expect(entry.line, "the payments of an entry", amount, sum(amounts, Decimal(0)))
    number = "".join(found.text for found in entry.all("NtryDtls/Btch/NbOfTxs")).strip()
    if number.isascii() and number.isdigit() and len(number) <= 15:
        gathering.expect(entry.line, "the number of payments of an entry", int(number), len(details))


def _check_summary(element: Element, lines: tuple[Line, ...], currency: str, gathering: Gathering) -> None:
    """Hold TxsSummry against the lines: numbers and sums of all, of credits and of debits."""
    groups = {
        "TtlNtries": [abs(line.amount) for line in lines],
        "TtlCdtNtries": [line.amount for line in lines if line.amount > 0],
        "TtlDbtNtries": [-line.amount for line in lines if line.amount < 0],
    }
    for tag, amounts in groups.items():
        group = element.find(f"TxsSummry/{tag}")
        if group is None:
            continue
        number = group.value("NbOfNtries")
        if number.isascii() and number.isdigit() and len(number) <= 15:
            gathering.expect(group.line, f"number of entries ({tag})", int(number), len(amounts))
        if total := group.value("Sum"):
            gathering.expect(
                group.line, f"sum of entries ({tag})", amount_of(total, currency, group.line), sum(amounts, Decimal(0))
            )
