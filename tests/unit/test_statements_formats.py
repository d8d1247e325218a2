"""Small files of each format and version, made here, so that each thing they may say is said once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.statements.csv_mapping import mapping_of
from ledger_service.statements.model import StatementFile
from ledger_service.statements.reading import read_statements

VERSIONS = [f"{number:02d}" for number in range(2, 14)]


def refused(data: str | bytes, *mapping: str) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        read_statements(data.encode() if isinstance(data, str) else data, mapping_of(mapping))
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    return caught.value


def read(text: str, *mapping: str) -> StatementFile:
    return read_statements(text.encode(), mapping_of(mapping))


def camt(name: str, body: str, root: str = "BkToCstmrStmt") -> str:
    start = f'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:{name}">'
    return f"{start}<{root}>{body}</{root}></Document>"


def balance(code: str, amount: str, mark: str = "CRDT") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='EUR'>{amount}</Amt>"
        f"<CdtDbtInd>{mark}</CdtDbtInd><Dt><DtTm>2026-01-31T00:00:00+01:00</DtTm></Dt></Bal>"
    )


def entry(amount: str, mark: str, status: str = "<Cd>BOOK</Cd>", details: str = "", currency: str = "EUR") -> str:
    return (
        f"<Ntry><Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>{mark}</CdtDbtInd><Sts>{status}</Sts>"
        f"<BookgDt><Dt>2026-01-30</Dt></BookgDt><ValDt><Dt>2026-01-31</Dt></ValDt>{details}</Ntry>"
    )


PARTY = (
    "<NtryDtls><TxDtls><Refs><EndToEndId>E2E-1</EndToEndId></Refs>"
    "<RltdPties><Dbtr><Pty><Nm>Ann  Payer</Nm></Pty></Dbtr>"
    "<DbtrAcct><Id><Othr><Id>12345</Id></Othr></Id></DbtrAcct></RltdPties>"
    "<RmtInf><Ustrd>Invoice</Ustrd><Ustrd>7</Ustrd></RmtInf></TxDtls></NtryDtls>"
)


@pytest.mark.parametrize("version", VERSIONS)
def test_camt053_versions(version: str) -> None:
    head = "<Stmt><Id>S1</Id><Acct><Id><IBAN>DE00</IBAN></Id><Ccy>EUR</Ccy></Acct>"
    status = "BOOK" if version < "08" else "<Cd>BOOK</Cd>"
    lines = entry("10.5", "CRDT", status, PARTY) + entry("0.50", "DBIT", status)
    body = head + balance("OPBD", "5", "DBIT") + balance("CLBD", "5.00") + lines + "</Stmt>"
    file = read(camt(f"camt.053.001.{version}", body))
    (statement,) = file.statements
    first, second = statement.lines
    assert (file.format, file.warnings, statement.account) == (f"camt.053.001.{version}", (), "DE00")
    assert (str(first.amount), str(second.amount)) == ("10.50", "-0.50")
    assert (first.booking_date, first.value_date, first.booked) == (date(2026, 1, 30), date(2026, 1, 31), True)
    assert (first.counterparty, first.counterparty_account, first.text) == ("Ann Payer", "12345", "Invoice 7")
    assert first.references == ("E2E-1",)
    assert statement.opening is not None
    assert (str(statement.opening.amount), statement.opening.date) == ("-5.00", date(2026, 1, 31))


@pytest.mark.parametrize("version", VERSIONS)
def test_camt054_versions(version: str) -> None:
    body = "<Ntfctn><Id>N</Id><Acct><Id><IBAN>DE00</IBAN></Id></Acct>" + entry("1", "CRDT") + "</Ntfctn>"
    file = read(camt(f"camt.054.001.{version}", body, "BkToCstmrDbtCdtNtfctn"))
    (statement,) = file.statements
    assert (file.format, statement.currency) == (f"camt.054.001.{version}", "EUR")
    assert (statement.opening, statement.closing, len(statement.lines)) == (None, None, 1)


@pytest.mark.parametrize("name", ["camt.053.001.01", "camt.053.001.14", "camt.052.001.08"])
def test_camt_of_other_versions(name: str) -> None:
    assert f"it is {name}" in refused(camt(name, "<Stmt/>")).message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_camt_encodings(encoding: str) -> None:
    body = "<Stmt>" + entry("5", "CRDT", details=PARTY.replace("Ann", "J\u00fcrgen")) + "</Stmt>"
    text = camt("camt.053.001.08", body).replace('"1.0"', f'"1.0" encoding="{encoding.removesuffix("-sig")}"')
    (line,) = read_statements(text.encode(encoding)).statements[0].lines
    assert line.counterparty == "J\u00fcrgen Payer"
    assert "J\u00fcrgen" in line.raw


def test_camt_pending_entry_is_no_part_of_the_balance() -> None:
    body = "<Stmt>" + balance("OPBD", "5") + balance("CLBD", "5") + entry("9", "CRDT", "<Cd>PDNG</Cd>") + "</Stmt>"
    file = read(camt("camt.053.001.08", body))
    assert file.warnings == ()
    assert [line.booked for line in file.statements[0].lines] == [False]


def test_camt_summary_and_batch_are_held_against_the_lines() -> None:
    two = "<TxDtls><Amt Ccy='EUR'>1</Amt></TxDtls><TxDtls><Amt Ccy='EUR'>3</Amt></TxDtls>"
    batch = f"<NtryDtls><Btch><NbOfTxs>3</NbOfTxs></Btch>{two}</NtryDtls>"
    summary = "<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries><Sum>7</Sum></TtlNtries></TxsSummry>"
    file = read(camt("camt.053.001.08", f"<Stmt>{summary}{entry('5', 'CRDT', details=batch)}</Stmt>"))
    assert [warning.message for warning in file.warnings] == [
        "the payments of an entry: the file says 5.00, its lines make 4.00",
        "the number of payments of an entry: the file says 3, its lines make 2",
        "number of entries (TtlNtries): the file says 2, its lines make 1",
        "sum of entries (TtlNtries): the file says 7.00, its lines make 5.00",
    ]


def test_camt_refusals() -> None:
    good = entry("5", "CRDT")
    for body, words in (
        (good.replace("CRDT", "BOTH"), "neither CRDT nor DBIT"),
        (good.replace(">5<", ">5,00<"), "not an amount"),
        (good.replace(">5<", ">5.001<"), "more than the 2 decimals"),
        (good + entry("5", "CRDT", currency="USD"), "one currency"),
        (good.replace("2026-01-30", "2026-02-30"), "no day 2026-02-30"),
    ):
        assert words in refused(camt("camt.053.001.08", f"<Stmt>{body}</Stmt>")).message
    assert "no account statement in it" in refused(camt("camt.053.001.08", "")).message


MT940 = """:20:REF
:25:DE00
:28C:5/1
:60F:C251231EUR100,
:61:2512300102D10,NTRFREF1//BANK1
:86:Rent
:61:251231RC1,5NRTINONREF
:62F:C260102EUR88,50
-"""


def test_mt940() -> None:
    (statement,) = read(MT940).statements
    first, second = statement.lines
    # Booked in the year after the value date.
    assert (first.value_date, first.booking_date) == (date(2025, 12, 30), date(2026, 1, 2))
    assert (first.references, first.text, first.bank_code) == (("REF1", "BANK1"), "Rent", "NTRF")
    assert first.raw == ":61:2512300102D10,NTRFREF1//BANK1\n:86:Rent"
    assert (str(second.amount), second.references) == ("-1.50", ())
    assert read(MT940).warnings == ()
    assert read("{1:F01BANKDEFFAXXX}{2:O940}{4:\n" + MT940 + "}{5:}").statements == tuple(read("\n" + MT940).statements)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_mt940_row_ends(end: str) -> None:
    assert read(MT940.replace("\n", end)).statements == read(MT940).statements


def test_mt940_refusals() -> None:
    for old, new, words in (
        (":62F:C260102EUR88,50\n-", "", "no closing balance"),
        (":60F:C251231EUR100,\n", "", "not between an opening and a closing balance"),
        (":25:DE00\n", "", "without an account"),
        ("D10,N", "X10,N", "is not a booking"),
        ("D10,N", "D1,0,0N", "not an amount"),
        (":28C:5/1\n", ":99:what\n", "no field of an MT940"),
        ("EUR88", "USD88", "a balance in USD in a statement in EUR"),
        (":20:REF\n:25:DE00", ":25:DE00\n:20:REF", "before :20:"),
    ):
        assert old in MT940
        assert words in refused(MT940.replace(old, new)).message


def test_mt940_text_may_look_like_an_end() -> None:
    (statement,) = read(MT940.replace(":86:Rent", ":86:Rent\n-TAN 1\n:15:30 h")).statements
    assert statement.lines[0].text == "Rent -TAN 1 :15:30 h"


def test_mt940_missing_page() -> None:
    (warning,) = read(MT940.replace(":60F:", ":60M:")).warnings
    assert "its first page is missing" in warning.message


def test_mt942() -> None:
    text = ":20:R\n:25:ACC\n:28C:1\n:34F:EUR0,\n:13D:2601021200+0100\n:61:2601020102C5,NTRFA\n:61:260102ED1,NTRFB\n"
    file = read(text + ":90D:1EUR1,\n:90C:2EUR5,\n")
    (statement,) = file.statements
    assert (file.format, statement.opening, statement.closing, statement.currency) == ("MT942", None, None, "EUR")
    assert [(str(line.amount), line.booked) for line in statement.lines] == [("5.00", True), ("-1.00", False)]
    assert [warning.message for warning in file.warnings] == ["number of credits: the file says 2, its lines make 1"]


OFX1 = (
    "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nENCODING:USASCII\r\nCHARSET:1252\r\n\r\n"
    "<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR<BANKACCTFROM><BANKID>1<ACCTID>42</BANKACCTFROM>\r\n"
    "<BANKTRANLIST><DTSTART>20260101\r\n<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260102120000[-5:EST]<TRNAMT>-1,50"
    "<FITID>F1<MEMO><NAME>Caf\u00e9 &amp; Co</STMTTRN></BANKTRANLIST>"
    "<LEDGERBAL><BALAMT>+7.00<DTASOF>20260131</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"
)


def test_ofx1() -> None:
    file = read_statements(OFX1.encode("cp1252"))
    (statement,) = file.statements
    (line,) = statement.lines
    assert (file.format, statement.account, statement.currency) == ("OFX 1", "42", "EUR")
    assert (str(line.amount), line.counterparty, line.references) == ("-1.50", "Caf\u00e9 & Co", ("F1",))
    assert (line.booking_date, line.text, line.line) == (date(2026, 1, 2), "", 9)
    assert statement.closing is not None
    assert str(statement.closing.amount) == "7.00"


def test_ofx1_empty_elements_before_the_bookings() -> None:
    """Without their ends they look as if the bookings were inside them."""
    (statement,) = read(OFX1.replace("<DTSTART>20260101", "<DTSTART><DTEND>")).statements
    assert [str(line.amount) for line in statement.lines] == ["-1.50"]


@pytest.mark.parametrize("tag", ["STMTTRN", "STMTRS"])
def test_ofx_bookings_where_none_belong_are_not_left_out(tag: str) -> None:
    xml = """<?xml version="1.0"?><?OFX OFXHEADER="200"?><OFX><STMTTRNRS><STMTRS><CURDEF>EUR</CURDEF><BANKTRANLIST>
    <STMTTRN><DTPOSTED>20260102</DTPOSTED><TRNAMT>1</TRNAMT></STMTTRN></BANKTRANLIST></STMTRS></STMTTRNRS></OFX>"""
    assert len(read(xml).statements[0].lines) == 1
    moved = xml.replace(f"<{tag}>", f"<X><{tag}>").replace(f"</{tag}>", f"</{tag}></X>")
    assert f"<{tag}> where none belongs" in refused(moved).message


def test_qfx_credit_card() -> None:
    text = OFX1.replace("STMTTRNRS", "CCSTMTTRNRS").replace("STMTRS", "CCSTMTRS").replace("BANKACCTFROM", "CCACCTFROM")
    file = read(text.replace("<OFX>", "<OFX><SIGNONMSGSRSV1><SONRS><INTU.BID>3000</SONRS></SIGNONMSGSRSV1>"))
    assert (file.format, file.statements[0].account, len(file.statements[0].lines)) == ("QFX", "42", 1)


def test_ofx_refusals() -> None:
    for old, new, words in (
        ("</OFX>", "", "no </OFX>"),
        ("-1,50", "1,000.50", "is not an amount"),
        ("<CURDEF>EUR", "", "not a currency code"),
        ("20260102120000[-5:EST]", "yesterday", "is not a date"),
        ("</STMTTRN>", "", "before the end of <STMTTRN> of line 9"),
        ("</OFX>", "</OFX>\n" + OFX1, "after </OFX>; if these are several files in one, split it"),
        ("<OFX>", "<STMTTRN><OFX>", "line 7: a tag before <OFX>"),
    ):
        assert words in refused(OFX1.replace(old, new)).message


BAI2 = """01,122099999,123456789,260201,0200,1,80,,2/
02,031001234,122099999,1,260131,2359,USD,2/
03,0123456789,USD,010,10000,,,015,11250,,/
16,165,1500,V,260202,,BANKREF,CUSTREF,DEALER PAYMENTS
88,FOR JANUARY
16,475,250,Z,,C17/
49,23000,5/
98,23000,1,7/
99,23000,1,9/
"""


def test_bai2() -> None:
    file = read(BAI2)
    (statement,) = file.statements
    first, second = statement.lines
    assert (file.format, file.warnings, statement.account, statement.currency) == ("BAI2", (), "0123456789", "USD")
    assert statement.opening is not None
    assert statement.closing is not None
    assert (str(statement.opening.amount), str(statement.closing.amount)) == ("100.00", "112.50")
    assert (str(first.amount), first.value_date, first.text) == (
        "15.00",
        date(2026, 2, 2),
        "DEALER PAYMENTS FOR JANUARY",
    )
    assert first.references == ("CUSTREF", "BANKREF")
    assert (str(second.amount), second.booking_date, second.references) == ("-2.50", date(2026, 1, 31), ("C17",))


def test_bai2_totals_are_held_against_the_records() -> None:
    messages = [warning.message for warning in read(BAI2.replace("49,23000,5", "49,23001,6")).warnings]
    assert messages == [
        "total of the account (49): the file says 23001, its lines make 23000",
        "records of the account (49): the file says 6, its lines make 5",
    ]


def test_bai2_refusals() -> None:
    for old, new, words in (
        ("99,23000,1,9/\n", "", "last record (99) is missing"),
        ("49,23000,5/\n", "", "no such order"),
        ("16,475", "16,900", "neither credit"),
        ("16,475,250,", "16,475;250,,", "three digits"),
        ("1500,V", "15.00,V", "not a whole number"),
        ("Z,,C17", "Q,,C17", "funds type"),
        ("16,475", "17,475", "is not a record of BAI2"),
    ):
        assert words in refused(BAI2.replace(old, new)).message


def test_csv_of_a_german_bank() -> None:
    text = (
        "Kontoauszug\n\nBuchungstag;Wertstellung;Empfänger;Verwendungszweck;Betrag;Währung;Saldo\n"
        '02.01.2026;03.01.2026;Müller;"Miete; Januar";-1.250,00;EUR;8.750,00\n'
        "03.01.2026;03.01.2026;Kunde;Rechnung;50,5;EUR;8.800,50\n"
    )
    for encoding in ("utf-8", "cp1252", "utf-8-sig", "utf-16"):
        file = read_statements(text.encode(encoding))
        (statement,) = file.statements
        assert (file.warnings, statement.currency) == ((), "EUR")
        assert [str(line.amount) for line in statement.lines] == ["-1250.00", "50.50"]
        assert statement.lines[0].counterparty == "Müller"
        assert statement.lines[0].text == "Miete; Januar"
        assert statement.opening is not None
        assert statement.closing is not None
        assert (str(statement.opening.amount), str(statement.closing.amount)) == ("10000.00", "8800.50")


def test_csv_running_balance_newest_first() -> None:
    good = "date,amount,balance\n2026-01-03,-5.00,15.00\n2026-01-02,10.00,20.00\n"
    (statement,) = read(good).statements
    assert statement.opening is not None
    assert (str(statement.opening.amount), read(good).warnings) == ("10.00", ())
    messages = [(warning.line, warning.message) for warning in read(good.replace("15.00", "16.00")).warnings]
    assert messages[0] == (2, "running balance 20.00 and -5.00 make 15.00, but the file says 16.00")


def test_csv_dates_that_may_be_two_are_asked() -> None:
    text = "date,amount\n05/06/2023,1.00\n07/08/2023,2.00\n"
    error = refused(text)
    assert "date-order=dmy, mdy or ymd" in error.message
    assert error.metadata == {"field": "file", "line": "2"}
    assert read(text, "date-order=dmy").statements[0].lines[0].booking_date == date(2023, 6, 5)
    assert read(text, "date-order=mdy").statements[0].lines[0].booking_date == date(2023, 5, 6)
    # One date that can be only one thing decides for all of them.
    assert read(text + "08/13/2023,3.00\n").statements[0].lines[0].booking_date == date(2023, 5, 6)
    assert "not in the order of line 4" in refused(text + "08/13/2023,3.00\n13/08/2023,1.00\n").message


def test_csv_numbers_that_may_be_two_are_asked() -> None:
    text = 'date,amount\n2023-06-05,"1,000"\n'
    assert "decimal=point or comma" in refused(text).message
    assert read(text, "decimal=point").statements[0].lines[0].amount == 1000
    assert read(text, "decimal=comma").statements[0].lines[0].amount == 1
    assert read(text + "2023-06-05,2.5\n").statements[0].lines[0].amount == 1000


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("(12.50)", "-12.50"),
        ("12.50-", "-12.50"),
        ("EUR 1 234.50", "1234.50"),
        ("-$1,234.50", "-1234.50"),
        ("+3.10", "3.10"),
    ],
)
def test_csv_numbers(written: str, meant: str) -> None:
    assert str(read(f'date,amount\n2023-06-05,"{written}"\n').statements[0].lines[0].amount) == meant


def test_csv_with_a_mapping() -> None:
    text = "When|In|Out|Who\n2026-01-02|5.00||Ann\n2026-01-03||2.00|Bob\n"
    assert "name the columns in a mapping" in refused(text).message
    pairs = ("date=When", "credit=In", "debit=Out", "counterparty=who", "currency-code=eur", "account-number=7")
    (statement,) = read(text, *pairs).statements
    assert (statement.account, statement.currency) == ("7", "EUR")
    assert [(str(line.amount), line.counterparty) for line in statement.lines] == [("5.00", "Ann"), ("-2.00", "Bob")]


@pytest.mark.parametrize("pairs", [["when=x"], ["date="], ["date=a", "date=b"], ["date-order=american"], ["decimal=."]])
def test_mappings_that_are_wrong(pairs: list[str]) -> None:
    with pytest.raises(LedgerError):
        mapping_of(pairs)


def test_csv_direction_and_several_accounts() -> None:
    text = (
        "Datum,Rekening,Bedrag,Af Bij,Munt\n20260102,A,5.00,Af,EUR\n20260102,B,7.00,Bij,EUR\n20260103,A,1.00,Bij,USD\n"
    )
    found = [(each.account, each.currency, str(each.lines[0].amount)) for each in read(text).statements]
    assert found == [("A", "EUR", "-5.00"), ("B", "EUR", "7.00"), ("A", "USD", "1.00")]


def test_csv_refusals() -> None:
    good = "date,amount,text\n2026-01-02,5.00,a\n"
    for text, words in (
        (good + "2026-01-03,5.00\n", "line 3: 2 columns where the header has 3"),
        (good + "2026-01-03,,a\n", "not an amount"),
        (good + "2026-01-03,1.2.3,a\n", "the decimal mark is not that of line 2"),
        (good + "2026-01-03,five,a\n", "not an amount"),
        (good + "soon,5.00,a\n", "is not a date"),
        ("date,amount,amount\n2026-01-02,1,2\n", "two columns have the name"),
        ("date,amount\n", "no account statement in it"),
    ):
        assert words in refused(text).message


def test_csv_bookings_above_the_header_are_not_left_out() -> None:
    """As where a file whose own header is damaged stands in front of another."""
    text = "My Bank,Account,1\n\nPeriod,31.12.2025,2.00\ndate,text,amount\n2026-01-02,Rent,-1.00\n"
    assert [str(line.amount) for line in read(text).statements[0].lines] == ["-1.00"]
    for row in ("2026-01-01,Food,-2.00", "01.01.26,Food,2,00-", "1 Jan 2026,Food,(1)", "20260101,,EUR 7"):
        cells = row.split(",", 2)
        damaged = text.replace("Period,31.12.2025,2.00", f'{cells[0]},{cells[1]},"{cells[2]}"')
        assert refused(damaged).message.startswith("line 3: a booking above the names of the columns (line 4)")


def test_stripe() -> None:
    text = (
        "balance_transaction_id,created,available_on,currency,gross,fee,net,reporting_category,source_id,description\n"
        "txn_1,2026-01-02 10:00:00,2026-01-04 00:00:00,usd,100.00,3.20,96.80,charge,ch_1,Order 7\n"
        "txn_2,2026-01-05 10:00:00,2026-01-05 00:00:00,usd,-96.80,0.00,-96.80,payout,po_1,STRIPE PAYOUT\n"
    )
    file = read(text)
    (statement,) = file.statements
    charge, payout = statement.lines
    assert (file.format, file.warnings, statement.currency) == ("CSV (Stripe)", (), "USD")
    assert (str(charge.amount), charge.references, charge.bank_code) == ("96.80", ("ch_1", "txn_1"), "charge")
    assert (charge.booking_date, charge.value_date) == (date(2026, 1, 2), date(2026, 1, 4))
    assert [(detail.text, str(detail.amount)) for detail in charge.details] == [("gross", "100.00"), ("fee", "-3.20")]
    assert (str(payout.amount), payout.details) == ("-96.80", ())
    assert "net amount" in read(text.replace("3.20", "3.30")).warnings[0].message
    # Reports may be ordered with a decimal comma.
    comma = text.replace(",", ";").replace(".", ",")
    assert [line.amount for line in read(comma).statements[0].lines] == [charge.amount, payout.amount]


def test_stripe_balance_history() -> None:
    text = (
        "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Description\n"
        "txn_1,charge,ch_1,100.00,3.20,96.80,eur,2026-01-02 10:00,2026-01-04 00:00,Order 7\n"
    )
    file = read(text)
    assert (file.format, str(file.statements[0].lines[0].amount)) == ("CSV (Stripe)", "96.80")


def test_paypal() -> None:
    text = (
        '"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","From Email Address",'
        '"Transaction ID","Balance"\n'
        '"13/01/2026","10:00:00","CET","Ann","Payment","Completed","EUR","1.100,00","-20,00","1.080,00","ann@x","T1","1.080,00"\n'
        '"13/01/2026","11:00:00","CET","Bob","Payment","Pending","EUR","5,00","0,00","5,00","bob@x","T2","1.080,00"\n'
    )
    file = read(text)
    (statement,) = file.statements
    assert (file.format, file.warnings) == ("CSV (PayPal)", ())
    assert [(str(line.amount), line.booked) for line in statement.lines] == [("1080.00", True), ("5.00", False)]
    assert statement.lines[0].details[1].amount == Decimal("-20.00")
    assert statement.closing is not None
    assert str(statement.closing.amount) == "1080.00"


def test_adyen() -> None:
    text = (
        "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
        "Modification Reference,Net Currency,Net Debit (NC),Net Credit (NC)\n"
        "Co,Shop,PSP1,Order-1,visa,2026-01-02 10:00:00,CET,Settled,M1,EUR,,9.70\n"
        "Co,Shop,PSP2,,,2026-01-02 10:00:00,CET,MerchantPayout,M2,EUR,9.70,\n"
    )
    file = read(text)
    (statement,) = file.statements
    assert (file.format, statement.account) == ("CSV (Adyen)", "Shop")
    assert [str(line.amount) for line in statement.lines] == ["9.70", "-9.70"]
    assert statement.lines[0].references == ("Order-1", "PSP1")
