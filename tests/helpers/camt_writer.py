"""camt.053 files for tests: what a bank's statement of one account tells, and nothing made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
    "<BkToCstmrStmt>\n"
)


@dataclass(frozen=True, slots=True)
class Booked:
    """One line: amount in minor units of a currency with two decimals, positive came in."""

    day: date
    amount: int
    reference: str = ""
    text: str = ""
    counterparty: str = ""
    code: str = ""
    value_day: date | None = None


def statement(
    lines: Sequence[Booked],
    *,
    opening: tuple[date, int] | None = None,
    closing: tuple[date, int] | None = None,
    currency: str = "EUR",
    account: str = "DE00",
    number: str = "1",
) -> str:
    """One statement of a file; balances are (day, minor units)."""
    balances = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_money(amount, currency)}<Dt><Dt>{day}</Dt></Dt></Bal>\n"
        for code, balance in (("OPBD", opening), ("CLBD", closing))
        if balance is not None
        for day, amount in [balance]
    )
    entries = "".join(_entry(line, currency) for line in lines)
    owner = f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>\n"
    return f"<Stmt><ElctrncSeqNb>{number}</ElctrncSeqNb>{owner}{balances}{entries}</Stmt>\n"


def file_of(*statements: str) -> bytes:
    """The file that holds them."""
    return f"{_HEAD}{''.join(statements)}</BkToCstmrStmt></Document>\n".encode()


def _money(amount: int, currency: str) -> str:
    digits = f"{abs(amount) // 100}.{abs(amount) % 100:02d}"
    return f'<Amt Ccy="{currency}">{digits}</Amt><CdtDbtInd>{"DBIT" if amount < 0 else "CRDT"}</CdtDbtInd>'


def _entry(line: Booked, currency: str) -> str:
    party = "Dbtr" if line.amount > 0 else "Cdtr"
    parties = (
        f"<RltdPties><{party}><Nm>{escape(line.counterparty)}</Nm></{party}></RltdPties>" if line.counterparty else ""
    )
    reference = f"<Refs><EndToEndId>{escape(line.reference)}</EndToEndId></Refs>" if line.reference else ""
    text = f"<RmtInf><Ustrd>{escape(line.text)}</Ustrd></RmtInf>" if line.text else ""
    code = f"<BkTxCd><Prtry><Cd>{escape(line.code)}</Cd></Prtry></BkTxCd>" if line.code else ""
    return (
        f"<Ntry>{_money(line.amount, currency)}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{line.day}</Dt></BookgDt>"
        f"<ValDt><Dt>{line.value_day or line.day}</Dt></ValDt>{code}"
        f"<NtryDtls><TxDtls>{reference}{parties}{text}</TxDtls></NtryDtls></Ntry>\n"
    )
