"""What the fuzzing of bank files needs: sound files of each format, ways to break them, and what must hold of the rest.

The ways to break a file are those of bad luck (bits, cuts, doubled pieces, wrong encodings), those of a clumsy program
(rows moved, numbers replaced, files glued together) and those of ill will (nothing but the format's own words).
"""

from __future__ import annotations

import codecs
import contextlib
import pickle
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.statements import limits
from ledger_service.statements.csv_mapping import CsvMapping, mapping_of
from ledger_service.statements.reading import read_statements
from tests.helpers.statement_files import WRITERS, damage, sample

if TYPE_CHECKING:
    from types import FrameType

    from ledger_service.statements.model import Line, StatementFile

REAL_FILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "statements"

HANG_SECONDS = 20
"""Processor time that one small file may take; the slowest known takes a hundredth of it."""

_CAMT054 = (
    '<?xml version="1.0"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.04"><BkToCstmrDbtCdtNtfctn>'
    "<Ntfctn><Id>N1</Id><Acct><Id><Othr><Id>42</Id></Othr></Id><Ccy>CHF</Ccy></Acct>\n"
    "<Ntry><Amt Ccy='CHF'>30.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-01-30</Dt></BookgDt>"
    "<ValDt><DtTm>2026-01-31T00:00:00+01:00</DtTm></ValDt><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
    "<SubFmlyCd>VCOM</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><Btch><NbOfTxs>2</NbOfTxs></Btch>\n"
    "<TxDtls><Refs><EndToEndId>E1</EndToEndId></Refs><Amt Ccy='CHF'>10.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
    "<RltdPties><Dbtr><Nm>Ann</Nm></Dbtr></RltdPties><RmtInf><Strd><CdtrRefInf><Ref>21 00000</Ref></CdtrRefInf></Strd>"
    "</RmtInf></TxDtls>\n<TxDtls><Refs><EndToEndId>E2</EndToEndId></Refs><Amt Ccy='CHF'>20.00</Amt></TxDtls>\n"
    "</NtryDtls></Ntry></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>\n"
)
_OFX1 = (
    "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nENCODING:USASCII\r\nCHARSET:1252\r\n\r\n"
    "<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR<BANKACCTFROM><BANKID>1<ACCTID>42</BANKACCTFROM>\r\n"
    "<BANKTRANLIST><DTSTART>20260101\r\n<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260102120000[-5:EST]<TRNAMT>-1,50"
    "<FITID>F1<MEMO><NAME>Caf\u00e9 &amp; Co</STMTTRN></BANKTRANLIST>"
    "<LEDGERBAL><BALAMT>+7.00<DTASOF>20260131</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\r\n"
)
_MT940 = (
    "{1:F01BANKDEFFAXXX}{2:O940}{4:\n:20:REF\n:25:DE00\n:28C:5/1\n:60F:C251231EUR100,\n"
    ":61:2512300102D10,NTRFREF1//BANK1\n:86:166?00RENT?10911?20EREF+E1?21SVWZ+Rent?30BANKDEFF?31123?32Ann\n"
    ":61:251231RC1,5NRTINONREF\n:62F:C260102EUR88,50\n:64:C260102EUR88,50\n-}{5:}\n"
)
_MT942 = (
    ":20:R\n:25:ACC\n:28C:1\n:34F:EUR0,\n:13D:2601021200+0100\n:61:2601020102C5,NTRFA\n:86:Text\n"
    ":61:260102ED1,NTRFB\n:90D:1EUR1,\n:90C:1EUR5,\n-\n"
)
_BAI2 = (
    "01,122099999,123456789,260201,0200,1,80,,2/\n02,031001234,122099999,1,260131,2359,USD,2/\n"
    "03,0123456789,USD,010,10000,,,015,11250,,/\n16,165,1500,V,260202,,BANKREF,CUSTREF,DEALER PAYMENTS\n"
    "88,FOR JANUARY\n16,475,250,Z,,C17/\n49,23000,5/\n98,23000,1,7/\n99,23000,1,9/\n"
)
_STRIPE = (
    "balance_transaction_id,created,available_on,currency,gross,fee,net,reporting_category,source_id,description\n"
    "txn_1,2026-01-02 10:00:00,2026-01-04 00:00:00,usd,100.00,3.20,96.80,charge,ch_1,Order 7\n"
    "txn_2,2026-01-05 10:00:00,2026-01-05 00:00:00,usd,-96.80,0.00,-96.80,payout,po_1,STRIPE PAYOUT\n"
)
_STRIPE_HISTORY = (
    "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Description\n"
    "txn_1,charge,ch_1,100.00,3.20,96.80,eur,2026-01-02 10:00,2026-01-04 00:00,Order 7\n"
)
_PAYPAL = (
    '"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","From Email Address",'
    '"Transaction ID","Balance"\n'
    '"13/01/2026","10:00:00","CET","Ann","Payment","Completed","EUR","1.100,00","-20,00","1.080,00","a@x","T1",'
    '"1.080,00"\n"13/01/2026","11:00:00","CET","Bob","Payment","Pending","EUR","5,00","0,00","5,00","b@x","T2",'
    '"1.080,00"\n'
)
_ADYEN = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
    "Modification Reference,Net Currency,Net Debit (NC),Net Credit (NC)\n"
    "Co,Shop,PSP1,Order-1,visa,2026-01-02 10:00:00,CET,Settled,M1,EUR,,9.70\n"
    "Co,Shop,PSP2,,,2026-01-02 10:00:00,CET,MerchantPayout,M2,EUR,9.70,\n"
)

_SOUND: dict[str, tuple[str | None, tuple[str, ...], tuple[str, ...]]] = {
    "camt.053": ("camt.053.001.08", (), ("camt053-nl.xml",)),
    "camt.054": (None, (_CAMT054,), ()),
    "MT940": ("MT940", (_MT940,), ("ing.sta", "rabobank-iban.sta", "sepa_mt940.sta")),
    "MT942": ("MT942", (_MT942,), ()),
    "OFX 1": ("OFX 1", (_OFX1,), ()),
    "OFX 2": ("OFX 2", (), ("stmtrs.ofx",)),
    "BAI2": ("BAI2", (_BAI2,), ()),
    "CSV": ("CSV", (), ("sample_statement_en.csv",)),
    "CSV (Stripe)": (None, (_STRIPE, _STRIPE_HISTORY), ()),
    "CSV (PayPal)": (None, (_PAYPAL,), ()),
    "CSV (Adyen)": (None, (_ADYEN,), ()),
}

FORMATS = tuple(_SOUND)


def corpus(name: str) -> list[bytes]:
    """Sound files of a format: written for tests, and those of banks where they are at hand."""
    writer, texts, files = _SOUND[name]
    found = [text.encode() for text in texts]
    if writer is not None:
        found += [sample(WRITERS[writer], lines) for lines in (1, 3, 8)]
    found += [path.read_bytes() for path in map(REAL_FILES.joinpath, files) if path.exists()]
    return found


_SPLIT = re.compile(rb"(?<=\n)|(?=<)|(?<=>)|(?<=[,;])")
_NUMBER = re.compile(rb"[0-9]+")
_NUMBERS = (b"0", b"00", b"-1", b"1e9", b"99", b"32", b"13", b"9" * 15, b"9" * 16, b"9" * 400, b"0.000001", b"1.", b".",
            b"1,2,3", b"1.234.567,89", b"\xd9\xa1", b"NaN", b"Infinity", b"0x10", b"19000101", b"99991231")  # fmt: skip
_WORDS = (
    *(b"&#0;", b"&#13;", b"&#xD800;", b"&#x1F600;", b"&#99999999999;", b"&lt;", b"<![CDATA[", b"]]>", b"<!--", b"-->"),
    *(b"<?xml version='1.0' encoding='utf-16'?>", b"<?OFX?>", b"xmlns:a='b'", b'""', b"'", b"\xc2\x85", b"\x1c", b"/"),
    *(b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"{4:", b"-}", b":62M:", b":60M:", b":20:", b"03,,,/\n"),
)
_ENCODINGS = ("utf-16", "utf-16-be", "utf-8-sig", "cp1252", "iso-8859-15", "utf-32", "cp037", "utf-7")


def tokens(data: bytes) -> list[bytes]:
    """A file taken apart where its format parts it: rows, tags, texts, cells."""
    return [token for token in _SPLIT.split(data) if token]


def broken(files: Sequence[bytes], random: Random) -> bytes:
    """One of the files after one to three misfortunes."""
    data = random.choice(files)
    for _ in range(random.randint(1, 3)):
        data = random.choice(_MISFORTUNES)(data, files, random)
    return data


def _bits(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    found = bytearray(data)
    for _ in range(min(len(found), random.choice((1, 1, 3, 20)))):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found)


def _accidents(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    return damage(data, random)


def _splice(data: bytes, files: Sequence[bytes], random: Random) -> bytes:
    other = random.choice(files)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _glue(data: bytes, files: Sequence[bytes], random: Random) -> bytes:
    return data + random.choice((b"", b"\n", b"\r\n", b" ")) + random.choice(files)


def _repeat(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    begin = random.randrange(len(data) + 1)
    block = data[begin : begin + random.choice((1, 10, 200, 2_000))]
    return data[:begin] + block * random.choice((2, 10, 100)) + data[begin + len(block) :]


def _renumber(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    share = random.choice((0.02, 0.1, 1.0))
    return _NUMBER.sub(lambda found: random.choice(_NUMBERS) if random.random() < share else found[0], data)


def _shuffle(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    parts = tokens(data)
    for _ in range(min(len(parts), random.choice((1, 2, 8)))):
        at, to = random.randrange(len(parts)), random.randrange(len(parts))
        kind = random.randrange(4)
        if kind == 0:
            parts[at], parts[to] = parts[to], parts[at]
        elif kind == 1:
            parts[at] = random.choice(_WORDS)
        elif kind == 2:
            parts.insert(at, parts[to])
        elif len(parts) > 1:
            del parts[at]
    return b"".join(parts)


def _recode(data: bytes, _: Sequence[bytes], random: Random) -> bytes:
    text = data.decode("utf-8", "replace")
    kind = random.randrange(4)
    if kind == 0:
        return text.replace("\n", random.choice(("\r", "\r\n", "\n\n", "\x0b", "\u2028", ""))).encode()
    if kind == 1:
        return text.swapcase().encode()
    return text.encode(random.choice(_ENCODINGS), "replace")


_MISFORTUNES: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    _bits, _accidents, _accidents, _splice, _glue, _repeat, _renumber, _shuffle, _shuffle, _recode,
)  # fmt: skip


@contextlib.contextmanager
def no_hang() -> Iterator[None]:
    """AssertionError if what is inside takes too much processor time; others on the machine do not count."""

    def hangs(_: int, __: FrameType | None) -> None:
        raise AssertionError(f"it takes more than {HANG_SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, hangs)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


_MAPPINGS = tuple(
    mapping_of(pairs)
    for pairs in (
        *(["date-order=ymd", "decimal=comma"], ["date-order=mdy"], ["decimal=point"], ["delimiter=semicolon"]),
        *(["delimiter=pipe"], ["encoding=utf-16-le"], ["encoding=cp437"], ["currency-code=JPY", "account-number=1"]),
        *(["date=Buchungstag", "amount=Saldo"], ["date=created", "debit=fee", "credit=gross"], ["text=Date"]),
        *(["amount=Betrag", "direction=Währung"], ["original-amount=gross"], ["status=Type"], ["account=Currency"]),
    )
)


def any_mapping(random: Random) -> CsvMapping | None:
    """None, mostly; or what somebody may say of a CSV file, right or wrong."""
    return random.choice(_MAPPINGS) if random.random() < 0.3 else None


def read_or_refused(data: bytes, mapping: CsvMapping | None = None) -> StatementFile | None:
    """Read it, and check all that must hold: of a refusal (None), or of a file that was taken."""
    try:
        with no_hang():
            file = read_statements(data, mapping)
    except LedgerError as error:
        _check_refusal(error)
        return None
    assert 1 <= len(file.statements) <= limits.MAX_STATEMENTS
    assert len(file.warnings) <= limits.MAX_WARNINGS + 1
    lines = [line for statement in file.statements for line in statement.lines]
    assert len(lines) <= limits.MAX_LINES
    rows = data.count(b"\n") + data.count(b"\r") + 1
    for line in lines:
        _check_line(line, rows)
    for statement in file.statements:
        for text in (statement.account, statement.number):
            _check_text(text)
        opening, closing = statement.opening, statement.closing
        if opening is not None and closing is not None and not file.warnings:
            assert opening.amount + sum(line.amount for line in statement.lines if line.booked) == closing.amount
    # It goes from process to process, and into the database as UTF-8.
    assert pickle.loads(pickle.dumps(file)) == file
    assert len(lines) >= _least_lines(file.format, data), "a part of the bookings was left out"
    return file


def _check_refusal(error: LedgerError) -> None:
    assert error.reason is Reason.INVALID_ARGUMENT
    assert error.metadata["field"] == "file"
    assert error.metadata["line"].isdecimal()
    assert len(error.message) < 1_000
    assert error.message.isprintable()


def _check_line(line: Line, rows: int) -> None:
    assert 1 <= line.line <= rows
    assert 1900 <= line.booking_date.year < 2200
    assert 1900 <= line.value_date.year < 2200
    amounts = [line.amount, *(detail.amount for detail in line.details if detail.amount is not None)]
    for amount in amounts:
        assert amount.is_finite()
        assert abs(amount) < 10**limits.MAX_WHOLE_DIGITS
        assert -limits.MAX_DECIMALS <= int(amount.as_tuple().exponent) <= 0
    assert line.raw
    assert len(line.details) <= limits.MAX_DETAILS
    for each in (line, *line.details):
        assert len(each.references) <= limits.MAX_REFERENCES
        for text in (each.counterparty, each.counterparty_account, each.text, *each.references):
            _check_text(text)
    _check_text(line.bank_code)
    line.raw.encode()
    assert "\0" not in line.raw


def _check_text(text: str) -> None:
    text.encode()
    assert len(text) <= limits.MAX_TEXT_CHARS
    assert not any(ord(character) < 32 for character in text)


def _least_lines(format_name: str, data: bytes) -> int:
    """How many bookings a naive look finds in a file that was taken; 0 where it cannot tell."""
    if data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        # Where a file of bytes is glued to it, they are half of other letters.
        return 0
    if format_name.startswith("MT"):
        return len(re.findall(rb"(?:^|[\r\n]):61:", data))
    if format_name == "BAI2":
        return len(re.findall(rb"[\r\n]16,", data))
    if format_name == "OFX 1":
        return len(re.findall(rb"<STMTTRN>", data))
    if format_name.startswith("camt"):
        return _elements(data, {"Stmt", "Rpt", "Ntfctn"}, "Ntry")
    if format_name == "OFX 2":
        return _elements(data, {"BANKTRANLIST"}, "STMTTRN")
    return 0


def _elements(data: bytes, parents: set[str], child: str) -> int:
    try:
        root = ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):
        # Such as an encoding that this parser lacks.
        return 0
    return sum(
        _name(inside.tag) == child for element in root.iter() if _name(element.tag) in parents for inside in element
    )


def _name(tag: object) -> str:
    return str(tag).rpartition("}")[2]
