"""Bank files come in: those of ../shared/data/statements as a person reads them, and one of each format."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ledger.v1 import reconciliation_pb2 as messages
from tests.helpers.builders import ASSET, new_account, new_entity
from tests.helpers.reconciling import Books, check_equation, units
from tests.helpers.rpc import refusal
from tests.helpers.servers import cloned, serving
from tests.helpers.statement_files import WRITERS, sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ledger_service.storage.embedded import EmbeddedPostgres
    from tests.helpers.rpc import Client

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "statements"
REAL = pytest.mark.skipif(not FOLDER.exists(), reason="the banks' files (../shared/data/statements) are not there")

# By file, its statements: bank's account, opening (amount, day), closing, number and sum of the lines, contradictions;
# then the first and the last line of the file: booking date, amount, counterparty, first reference.
FILES = {
    "camt053-nl.xml": (
        [("NL77ABNA0574908765", ("15568.27", "2014-01-05"), ("15121.12", "2014-01-05"), 3, "-12.99", 1)],
        ("2014-01-05", "-754.25", "INSURANCE COMPANY TESTX", "435005714488-ABNO33052620"),
        ("2014-01-05", "1405.31", "3rd party Media", "115"),
    ),
    "ing.sta": (
        [("0001234567", ("0.00", "2010-07-22"), ("3.47", "2010-07-23"), 7, "-45.59", 4)],
        ("2010-07-22", "-25.03", "", ""),
        ("2010-07-23", "1.00", "", ""),
    ),
    "rabobank-iban.sta": (
        [
            ("NL71RABO0123456789", ("1000.00", "2013-01-01"), ("965.00", "2013-01-08"), 2, "-35.00", 0),
            ("NL71RABO0123456789", ("965.00", "2013-01-08"), ("930.00", "2013-01-15"), 2, "-35.00", 0),
        ],
        ("2013-01-01", "-25.00", "CONTRA ACCOUNT HOLDER", "01-01-2013 12:00 0030000987654321"),
        ("2013-01-09", "-10.00", "JOHN DOE", ""),
    ),
    "stmtrs.ofx": (
        [("999988", ("", ""), ("200.29", "2005-10-29"), 2, "-500.00", 0)],
        ("2005-10-04", "-200.00", "", "1000"),
        ("2005-10-20", "-300.00", "", "00003"),
    ),
    "sample_statement_en.csv": (
        [("", ("", ""), ("", ""), 2, "1491.50", 0)],
        ("2018-12-15", "-33.50", "John Doe", ""),
        ("2018-12-15", "1525.00", "Azure Interior", ""),
    ),
}

# The twenty accounts of sepa_mt940.sta: their lines, what these come to, both balances, first and last amount.
SEPA = {
    "0194774600888": (7, "-2909.87", "-1234718.36", "-1237628.23", "300.00", "-999946.95"),
    "0194777100888": (2, "-485249.95", "-970499.90", "-1455749.85", "15000.05", "-500250.00"),
    "0194778300888": (5, "-528038.51", "-1709296.34", "-2237334.85", "50.05", "-326609.66"),
    "0194779500888": (3, "1050000.00", "3192675.04", "4242675.04", "250000.00", "500000.00"),
    "0194780100888": (5, "-726694.27", "-2368827.87", "-3095522.14", "204.88", "-500250.00"),
    "0194780101888": (1, "50990.05", "152970.15", "203960.20", "50990.05", "50990.05"),
    "0194781300888": (8, "-60422.25", "-40432.20", "-100854.45", "19990.05", "-55344.11"),
    "0194782500888": (11, "-750973.73", "-1552497.38", "-2303471.11", "50.00", "-476921.44"),
    "0194783700888": (12, "-1190220.09", "-3829477.87", "-5019697.96", "335.33", "-915646.88"),
    "0194784900888": (9, "-3066839.81", "-5777585.57", "-8844425.38", "16500.07", "-1522104.00"),
    "0194784901888": (1, "13990.05", "13990.05", "27980.10", "13990.05", "13990.05"),
    "0194785000888": (12, "-1501074.50", "-3612519.02", "-5113593.52", "-57.34", "-956588.05"),
    "0194785001888": (1, "50990.05", "152970.15", "203960.20", "50990.05", "50990.05"),
    "0194786200888": (3, "92990.19", "145964.58", "238954.77", "16500.07", "56500.07"),
    "0194787400888": (4, "358593.91", "766656.49", "1125250.40", "50990.05", "-1500.00"),
    "0194791600888": (7, "-2501617.22", "-1970431.87", "-4472049.09", "300.00", "-3572569.03"),
    "0194791601888": (3, "-72400.00", "-324910.25", "-397310.25", "1910.05", "-125300.10"),
    "0194798900888": (1, "-150.00", "-450.00", "-600.00", "-150.00", "-150.00"),
    "0194799000888": (1, "-150.00", "-450.00", "-600.00", "-150.00", "-150.00"),
    "0194804000888": (1, "50.05", "0.00", "50.05", "50.05", "50.05"),
}


@pytest.fixture(scope="module")
async def client(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Client]:
    """Of one service for all: each test has an entity of its own, and its workshop starts once."""
    async with cloned(postgres.dsn, template) as dsn, serving(dsn) as service:
        yield service.client


async def books_of(client: Client, currency: str) -> Books:
    entity_id = await new_entity(client)
    await new_account(client, entity_id, "bank", ASSET)
    return Books(client, entity_id, "bank", currency)


def told(line: messages.StatementLine) -> tuple[str, str, str, str]:
    return line.booking_date, line.amount, line.counterparty, line.references[0] if line.references else ""


@REAL
@pytest.mark.parametrize("name", FILES)
async def test_a_file_of_a_bank(client: Client, name: str) -> None:
    expected, first, last = FILES[name]
    books = await books_of(client, "EUR" if name.endswith((".sta", ".xml")) else "USD")
    data = (FOLDER / name).read_bytes()
    # The file tells its currency.
    answer = await books.send(data, file_name=name, currency="")
    statements = await books.statements()
    assert list(answer.statements) == statements
    assert [
        (
            one.bank_account, (one.opening_balance, one.opening_date), (one.closing_balance, one.closing_date),
            one.lines, one.sum, len(one.contradictions),
        )
        for one in statements
    ] == expected  # fmt: skip
    assert {(one.file_name, one.known_lines) for one in statements} == {(name, 0)}
    lines = await books.lines()
    assert len(lines) == answer.lines == sum(one.lines for one in statements)
    assert (told(lines[0]), told(lines[-1])) == (first, last)
    assert all(line.raw for line in lines)
    assert sum(units(line.amount) for line in lines) == sum(units(one.sum) for one in statements)
    again = await books.send(data, file_name="again", currency="")
    assert (again.replayed, list(again.statements)) == (True, statements)
    check_equation(await books.report())


@REAL
async def test_a_file_of_twenty_accounts(client: Client) -> None:
    """It is refused as a whole; the messages of each account come in."""
    data = (FOLDER / "sepa_mt940.sta").read_bytes()
    books = await books_of(client, "EUR")
    refused = await refusal(books.send(data))
    assert (refused.reason, "20 accounts" in refused.message) == ("STATEMENT_MISMATCH", True)
    parts: dict[str, bytes] = {}
    for message in data.split(b":20:")[1:]:
        account = message.split(b":25:")[1].split(b"\n")[0].strip().decode().removeprefix("50880050/")
        parts[account] = parts.get(account, b"") + b":20:" + message
    found = {}
    for account, part in parts.items():
        books = await books_of(client, "EUR")
        await books.send(part, file_name="sepa_mt940.sta")
        (only,) = await books.statements()
        assert (only.bank_account, list(only.contradictions)) == (f"50880050/{account}", [])
        lines = await books.lines()
        found[account] = (
            only.lines, only.sum, only.opening_balance, only.closing_balance, lines[0].amount, lines[-1].amount,
        )  # fmt: skip
        assert (len(lines), only.closing_date) == (only.lines, "2007-09-04")
        check_equation(await books.report())
    assert found == SEPA


@pytest.mark.parametrize("name", WRITERS)
async def test_each_format_once_twice_and_overlapping(client: Client, name: str) -> None:
    books = await books_of(client, "EUR")
    short, long = sample(WRITERS[name], 5), sample(WRITERS[name], 9)
    first = await books.send(short, file_name="short")
    assert (first.lines, first.known_lines, first.replayed) == (5, 0, False)
    assert first.statements[0].format == name
    amounts = [f"{Decimal(number % 9 - 4) + Decimal('0.25'):.2f}" for number in range(9)]
    lines = await books.lines()
    assert [line.amount for line in lines] == amounts[:5]
    assert [list(line.references) for line in lines] == [[f"R{number}"] for number in range(5)]
    assert [line.text for line in lines] == [f"text {number}" for number in range(5)]
    twice = await books.send(short, file_name="short again")
    assert (twice.replayed, twice.lines) == (True, 5)
    more = await books.send(long, file_name="long")
    assert (more.lines, more.known_lines, more.replayed) == (4, 5, False)
    lines = await books.lines()
    assert [(line.number, line.amount) for line in lines] == list(enumerate(amounts, 1))
    assert [line.statement_number for line in lines] == [1] * 5 + [2] * 4
    # All that this one could bring is here.
    back = await books.send(sample(WRITERS[name], 7), file_name="between")
    assert (back.lines, back.known_lines) == (0, 7)
    check_equation(await books.report())
