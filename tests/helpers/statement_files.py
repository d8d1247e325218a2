"""Bank files for tests: a writer for each format, and ways to damage a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from random import Random
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Booking:
    """What every format can tell of a line."""

    day: date
    amount: Decimal
    reference: str
    text: str


def total(bookings: Sequence[Booking]) -> Decimal:
    return sum((booking.amount for booking in bookings), Decimal(0))


def camt053(opening: Decimal, bookings: Sequence[Booking]) -> str:
    def mark(amount: Decimal) -> str:
        return f"<Amt Ccy='EUR'>{abs(amount)}</Amt><CdtDbtInd>{'DBIT' if amount < 0 else 'CRDT'}</CdtDbtInd>"

    def balance(code: str, amount: Decimal) -> str:
        kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        return f"<Bal>{kind}{mark(amount)}<Dt><Dt>2026-01-31</Dt></Dt></Bal>\n"

    def entry(booking: Booking) -> str:
        details = (
            f"<NtryDtls><TxDtls><Refs><EndToEndId>{escape(booking.reference)}</EndToEndId></Refs>"
            f"<RmtInf><Ustrd>{escape(booking.text)}</Ustrd></RmtInf></TxDtls></NtryDtls>"
        )
        day = f"<BookgDt><Dt>{booking.day}</Dt></BookgDt>"
        return f"<Ntry>{mark(booking.amount)}<Sts><Cd>BOOK</Cd></Sts>{day}{details}</Ntry>\n"

    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">'
        "<BkToCstmrStmt><Stmt><Acct><Id><IBAN>DE00</IBAN></Id></Acct>\n"
        + balance("OPBD", opening)
        + balance("CLBD", opening + total(bookings))
        + "".join(map(entry, bookings))
        + "</Stmt></BkToCstmrStmt></Document>\n"
    )


def _swift_amount(amount: Decimal) -> str:
    return f"{abs(amount)}".replace(".", ",")


def _swift_line(booking: Booking) -> str:
    mark = "D" if booking.amount < 0 else "C"
    amount = _swift_amount(booking.amount)
    return f":61:{booking.day:%y%m%d}{booking.day:%m%d}{mark}{amount}NTRF{booking.reference}\n:86:{booking.text}\n"


def mt940(opening: Decimal, bookings: Sequence[Booking]) -> str:
    def balance(tag: str, amount: Decimal) -> str:
        return f":{tag}:{'D' if amount < 0 else 'C'}260131EUR{_swift_amount(amount)}\n"

    head = ":20:REF\n:25:DE00\n:28C:1/1\n" + balance("60F", opening)
    return head + "".join(map(_swift_line, bookings)) + balance("62F", opening + total(bookings)) + "-\n"


def mt942(_: Decimal, bookings: Sequence[Booking]) -> str:
    return ":20:REF\n:25:DE00\n:28C:1/1\n:34F:EUR0,\n" + "".join(map(_swift_line, bookings)) + "-\n"


def ofx1(opening: Decimal, bookings: Sequence[Booking]) -> str:
    return "OFXHEADER:100\nDATA:OFXSGML\n\n" + _ofx(opening, bookings, sgml=True)


def ofx2(opening: Decimal, bookings: Sequence[Booking]) -> str:
    return '<?xml version="1.0"?>\n<?OFX OFXHEADER="200" VERSION="200"?>\n' + _ofx(opening, bookings, sgml=False)


def _ofx(opening: Decimal, bookings: Sequence[Booking], *, sgml: bool) -> str:
    def leaf(tag: str, text: str) -> str:
        return f"<{tag}>{escape(text)}" + ("\n" if sgml else f"</{tag}>\n")

    lines = "".join(
        "<STMTTRN>"
        + leaf("DTPOSTED", f"{booking.day:%Y%m%d}")
        + leaf("TRNAMT", str(booking.amount))
        + leaf("REFNUM", booking.reference)
        + leaf("MEMO", booking.text)
        + "</STMTTRN>\n"
        for booking in bookings
    )
    balance = leaf("BALAMT", str(opening + total(bookings))) + leaf("DTASOF", "20260131")
    return (
        f"<OFX><STMTTRNRS><STMTRS>{leaf('CURDEF', 'EUR')}<BANKACCTFROM>{leaf('ACCTID', 'DE00')}</BANKACCTFROM>"
        f"<BANKTRANLIST>{lines}</BANKTRANLIST><LEDGERBAL>{balance}</LEDGERBAL></STMTRS></STMTTRNRS></OFX>\n"
    )


def bai2(opening: Decimal, bookings: Sequence[Booking]) -> str:
    """All on one day: BAI2 has a date for a group, and value dates for lines."""

    def cents(amount: Decimal) -> int:
        return int(amount * 100)

    closing = opening + total(bookings)
    lines = "".join(
        f"16,{'475' if booking.amount < 0 else '165'},{abs(cents(booking.amount))},V,{booking.day:%y%m%d},,"
        f",{booking.reference},{booking.text}\n"
        for booking in bookings
    )
    control = cents(opening) + cents(closing) + sum(abs(cents(booking.amount)) for booking in bookings)
    records = len(bookings) + 2
    return (
        "01,S,R,260131,0200,1,,,2/\n02,R,S,1,260131,,EUR,2/\n"
        f"03,DE00,EUR,010,{cents(opening)},,,015,{cents(closing)},,/\n{lines}"
        f"49,{control},{records}/\n98,{control},1,{records + 2}/\n99,{control},1,{records + 4}/\n"
    )


def csv_text(opening: Decimal, bookings: Sequence[Booking]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow(["Buchungstag", "Betrag", "Währung", "Referenz", "Verwendungszweck", "Saldo"])
    running = opening
    for booking in bookings:
        running += booking.amount
        amounts = [f"{amount:.2f}".replace(".", ",") for amount in (booking.amount, running)]
        row = [f"{booking.day:%d.%m.%Y}", amounts[0], "EUR", booking.reference, booking.text, amounts[1]]
        writer.writerow(row)
    return out.getvalue()


WRITERS: dict[str, Callable[[Decimal, Sequence[Booking]], str]] = {
    "camt.053.001.08": camt053,
    "MT940": mt940,
    "MT942": mt942,
    "OFX 1": ofx1,
    "OFX 2": ofx2,
    "BAI2": bai2,
    "CSV": csv_text,
}


def sample(writer: Callable[[Decimal, Sequence[Booking]], str], lines: int) -> bytes:
    """A sound file of so many lines."""
    bookings = [
        Booking(
            date(2026, 1, 1 + number % 28), Decimal(number % 9 - 4) + Decimal("0.25"), f"R{number}", f"text {number}"
        )
        for number in range(lines)
    ]
    return writer(Decimal("10.00"), bookings).encode()


def damage(data: bytes, random: Random) -> bytes:
    """The file after one to four accidents: bytes changed, pieces cut, doubled or moved, the end lost."""
    found = bytearray(data)
    for _ in range(random.randint(1, 4)):
        size = len(found)
        at, length = random.randrange(size + 1), random.choice((1, 1, 2, 8, 60))
        kind = random.randrange(6)
        if kind == 0:
            found[at : at + length] = random.randbytes(length)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length] * random.choice((1, 2, 50))
        elif kind == 3:
            del found[at:]
        elif kind == 4:
            found[at:at] = random.choice(_PIECES)
        else:
            where = random.randrange(size + 1)
            found[at:at] = found[where : where + length]
    return bytes(found)


_PIECES = (
    *(b"\x00", b"\r", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"<", b"&", b",", b";", b"-", b"-\n"),
    *(b":61:", b":86:", b"?20", b"16,", b"88,", b"49,", b"<Ntry>", b"</Stmt>", b"<STMTTRN>", b"</OFX>"),
    *(b"<!DOCTYPE a>", b"9" * 50, b"\n" * 40, b"(" * 70, b"E" * 300),
)
