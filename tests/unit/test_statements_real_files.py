"""The bank files of ../shared/data/statements, against what a person reads in them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from ledger_service.statements.model import Balance, Line, Statement, StatementFile
from ledger_service.statements.reading import read_statements

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "statements"

pytestmark = pytest.mark.skipif(
    not FOLDER.exists(), reason="the banks' files (../shared/data/statements) are not there"
)


def read(name: str) -> StatementFile:
    return read_statements((FOLDER / name).read_bytes())


def total(statement: Statement) -> Decimal:
    return sum((line.amount for line in statement.lines), Decimal(0))


def told(balance: Balance | None) -> tuple[str, date | None] | None:
    return None if balance is None else (str(balance.amount), balance.date)


def short(line: Line) -> tuple[date, date, str, str, tuple[str, ...], str]:
    return line.booking_date, line.value_date, str(line.amount), line.counterparty, line.references, line.bank_code


def test_camt053() -> None:
    file = read("camt053-nl.xml")
    (statement,) = file.statements
    day = date(2014, 1, 5)
    assert (file.format, statement.account, statement.currency) == ("camt.053.001.02", "NL77ABNA0574908765", "EUR")
    assert (told(statement.opening), told(statement.closing)) == (("15568.27", day), ("15121.12", day))
    assert (len(statement.lines), total(statement)) == (3, Decimal("-12.99"))
    assert short(statement.lines[0]) == (
        day,
        day,
        "-754.25",
        "INSURANCE COMPANY TESTX",
        ("435005714488-ABNO33052620", "INNDNL2U20141231000142300002844", "1880000341866"),
        "PMNT/RDDT/ESDD",
    )
    assert statement.lines[0].text == "Insurance policy 857239PERIOD 01.01.2014 - 31.12.2014"
    assert short(statement.lines[2]) == (
        day,
        day,
        "1405.31",
        "3rd party Media",
        ("115", "INNDNL2U20140105000217200000708"),
        "PMNT/RCDT/ESCT",
    )
    assert statement.lines[2].raw.startswith("<Ntry>")
    assert statement.lines[2].raw.endswith("</Ntry>")


def test_camt053_batch() -> None:
    """The second entry books two returned debits at once."""
    line = read("camt053-nl.xml").statements[0].lines[1]
    assert (str(line.amount), line.counterparty, line.references) == (
        "-664.05",
        "Test Customer",
        ("2018/125-20141229-NORM", "2014/125"),
    )
    assert [str(detail.amount) for detail in line.details] == ["-564.05", "-100.00"]
    assert [detail.references[0] for detail in line.details] == [
        "TESTBANK/NL/20141229/01206408",
        "TESTBANK/NL/20141229/01206407",
    ]


def test_camt053_contradicts_itself() -> None:
    """The amounts were made up by the file's authors: 15568.27 - 754.25 - 664.05 + 1405.31 is 15555.28."""
    (warning,) = read("camt053-nl.xml").warnings
    assert warning.line == 38
    assert "15555.28" in warning.message
    assert "15121.12" in warning.message


def test_sepa_mt940() -> None:
    file = read("sepa_mt940.sta")
    assert (file.format, file.warnings) == ("MT940", ())
    # 26 messages, some of them the second or third page of a statement.
    assert len(file.statements) == 20
    assert sum(len(statement.lines) for statement in file.statements) == 97
    assert {statement.currency for statement in file.statements} == {"EUR"}
    assert sum(map(total, file.statements)) == Decimal("-9269135.90")


def test_sepa_mt940_first_and_last() -> None:
    file = read("sepa_mt940.sta")
    first, last = file.statements[0], file.statements[-1]
    assert (first.account, first.number, len(first.lines)) == ("50880050/0194774600888", "00004", 7)
    assert told(first.opening) == ("-1234718.36", date(2007, 9, 3))
    assert told(first.closing) == ("-1237628.23", date(2007, 9, 4))
    assert total(first) == Decimal("-2909.87")
    day = date(2007, 9, 4)
    references = ("TFNR 40005 00005", "TFNr 40005 MSGID", "0724710345313905")
    assert short(first.lines[0]) == (day, day, "300.00", "", references, "NTRF/159")
    # RC: a credit that was taken back.
    assert short(first.lines[5]) == (day, day, "-204.88", "", (), "NRTI/079")
    assert short(first.lines[6]) == (day, day, "-999946.95", "", (), "NMSC/079")
    assert first.lines[6].text == "0904059002"
    assert (last.account, len(last.lines), total(last)) == ("50880050/0194804000888", 1, Decimal("50.05"))
    assert told(last.opening) == ("0.00", date(2007, 8, 22))
    assert told(last.closing) == ("50.05", day)
    line = last.lines[0]
    assert (line.counterparty, line.counterparty_account) == (
        "Richter Renate 70 Zeichen Beginn Fuellzeichen xxxxxxxx",
        "DE51508800500190038900",
    )
    assert line.references == ("EndToEndIdTFNR5000500001", "0724710290648274")


def test_sepa_mt940_pages_are_one_statement() -> None:
    (statement,) = [each for each in read("sepa_mt940.sta").statements if each.account == "50880050/0194785000888"]
    assert told(statement.opening) == ("-3612519.02", date(2007, 9, 3))
    assert told(statement.closing) == ("-5113593.52", date(2007, 9, 4))
    assert total(statement) == Decimal("-1501074.50")


def test_ing_mt940() -> None:
    file = read("ing.sta")
    (statement,) = file.statements
    assert (file.format, statement.account, statement.currency) == ("MT940", "0001234567", "EUR")
    assert told(statement.opening) == ("0.00", date(2010, 7, 22))
    assert told(statement.closing) == ("3.47", date(2010, 7, 23))
    # -25.03 - 3.03 - 1.11 - 20.00 - 1.10 + 3.68 + 1.00
    assert (len(statement.lines), total(statement)) == (7, Decimal("-45.59"))
    first, last = statement.lines[0], statement.lines[-1]
    assert short(first) == (date(2010, 7, 22), date(2010, 7, 22), "-25.03", "", (), "NTRF")
    assert first.text.startswith("RC AFREKENING BETALINGSVERKEER BETREFT REKENING 4715589 PERIODE")
    assert short(last) == (date(2010, 7, 23), date(2010, 7, 23), "1.00", "", (), "NTRF")
    # Neither the totals under the statement nor the file's end belong to the last line.
    assert last.text.endswith("Betaling transactiedatum: 22-07-2010")


def test_ing_mt940_contradicts_itself() -> None:
    """The bank says 4 debits of 25.24 and credits of 28.71; in the file are 5 of 50.27, and 4.68."""
    messages = [(warning.line, warning.message) for warning in read("ing.sta").warnings]
    assert [line for line, _ in messages] == [27, 27, 27, 26]
    assert messages[0][1] == "number of debits: the file says 4, its lines make 5"
    assert messages[2][1] == "sum of credits: the file says 28.71, its lines make 4.68"
    assert "-45.59, but the closing balance is 3.47" in messages[3][1]


def test_rabobank_mt940() -> None:
    file = read("rabobank-iban.sta")
    first, second = file.statements
    assert (file.format, file.warnings) == ("MT940", ())
    for statement, opening, closing in (
        (first, ("1000.00", date(2013, 1, 1)), ("965.00", date(2013, 1, 8))),
        (second, ("965.00", date(2013, 1, 8)), ("930.00", date(2013, 1, 15))),
    ):
        assert (statement.account, statement.currency) == ("NL71RABO0123456789", "EUR")
        assert (told(statement.opening), told(statement.closing)) == (opening, closing)
        assert (len(statement.lines), total(statement)) == (2, Decimal("-35.00"))
    assert short(first.lines[0]) == (
        date(2013, 1, 1),
        date(2013, 1, 1),
        "-25.00",
        # Broken between two rows in the file.
        "CONTRA ACCOUNT HOLDER",
        ("01-01-2013 12:00 0030000987654321",),
        "N102",
    )
    assert first.lines[0].counterparty_account == "NL70ABNA0987654321"
    assert short(second.lines[1]) == (date(2013, 1, 9), date(2013, 1, 9), "-10.00", "JOHN DOE", (), "N154")
    assert second.lines[1].text == "Reference 201301234"


def test_ofx2() -> None:
    file = read("stmtrs.ofx")
    (statement,) = file.statements
    assert (file.format, statement.account, statement.currency, file.warnings) == ("OFX 2", "999988", "USD", ())
    assert (told(statement.opening), told(statement.closing)) == (None, ("200.29", date(2005, 10, 29)))
    assert (len(statement.lines), total(statement)) == (2, Decimal("-500.00"))
    assert short(statement.lines[0]) == (
        date(2005, 10, 4),
        date(2005, 10, 4),
        "-200.00",
        "",
        ("1000", "00002"),
        "CHECK",
    )
    assert short(statement.lines[1]) == (date(2005, 10, 20), date(2005, 10, 20), "-300.00", "", ("00003",), "ATM")


def test_csv() -> None:
    file = read("sample_statement_en.csv")
    (statement,) = file.statements
    # The EUR of the second row is of its column "Amount Currency": 1,525.00 of the account are 1,000.00 EUR.
    assert (file.format, statement.account, statement.currency, file.warnings) == ("CSV", "", "USD", ())
    assert (statement.opening, statement.closing) == (None, None)
    assert (len(statement.lines), total(statement)) == (2, Decimal("1491.50"))
    first, last = statement.lines
    assert short(first) == (date(2018, 12, 15), date(2018, 12, 15), "-33.50", "John Doe", (), "")
    assert (first.text, first.counterparty_account) == ("Your best supplier on 12/15/2018", "123456789")
    assert short(last) == (date(2018, 12, 15), date(2018, 12, 15), "1525.00", "Azure Interior", (), "")
    assert last.raw == '"12/15/2018","Your payment on 12/15/2018","EUR","1,525.00","1,000.00","Azure Interior",""'
