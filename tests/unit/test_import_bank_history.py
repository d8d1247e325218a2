"""The importer's pure parts: reading strictly, what is booked where, the arithmetic of the reports."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from rich.console import Console
from typer.testing import CliRunner

from ledger_client import LedgerError, messages

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))  # the program finds its parts beside itself, and so do its tests

import import_bank_history  # noqa: E402
from bank_history import chart, figures, posting, reports  # noqa: E402
from bank_history.records import MalformedFileError, Nature, Record, read_lines  # noqa: E402

HEADING = '"trans_id";"account_id";"date";"type";"operation";"amount";"balance";"k_symbol";"bank";"account"'
DEPOSIT = '171812;576;930101;"PRIJEM";"VKLAD";900.00;900.00;"";;'
PENSION = '171813;576;930111;"PRIJEM";"PREVOD Z UCTU";6207.00;7107.00;"DUCHOD";"YZ";"30300313"'


def read(*lines: str) -> list[Record]:
    return read_lines(f"{line}\n".encode() for line in (HEADING, *lines))


def one(line: str) -> Record:
    (record,) = read(line)
    return record


def record(number: int, customer: str, day: str, amount: str, balance: str, *, out: bool = False) -> str:
    kind = '"VYDAJ";"VYBER"' if out else '"PRIJEM";"VKLAD"'
    return f'{number};{customer};{day};{kind};{amount};{balance};"";;'


# --- records ----------------------------------------------------------------------------------------------


def test_a_record_is_read() -> None:
    assert one(PENSION) == Record(
        line=2,
        number="171813",
        customer="576",
        day=date(1993, 1, 11),
        nature=Nature.TRANSFER_IN,
        amount=620_700,
        stated_balance=710_700,
        type="PRIJEM",
        operation="PREVOD Z UCTU",
        symbol="DUCHOD",
        bank="YZ",
        other_account="30300313",
    )


@pytest.mark.parametrize(
    ("columns", "nature", "change"),
    [
        ('"PRIJEM";"VKLAD";1.50;0.00;"";;', Nature.CASH_DEPOSIT, 150),
        ('"VYDAJ";"VYBER";1.50;-1.50;"";;', Nature.CASH_WITHDRAWAL, -150),
        ('"VYDAJ";"VYBER";1.50;0.00;" ";;"0"', Nature.CASH_WITHDRAWAL, -150),
        ('"VYDAJ";"VYBER";1.50;0.00;"SIPO";;"0"', Nature.CASH_WITHDRAWAL, -150),
        ('"VYBER";"VYBER";1.50;0.00;"";;', Nature.CASH_WITHDRAWAL, -150),
        ('"VYDAJ";"VYBER KARTOU";1.50;0.00;"";;"0"', Nature.CARD_WITHDRAWAL, -150),
        ('"PRIJEM";"PREVOD Z UCTU";1.50;0.00;"";"AB";"1"', Nature.TRANSFER_IN, 150),
        ('"VYDAJ";"PREVOD NA UCET";1.50;0.00;"UVER";"AB";"1"', Nature.TRANSFER_OUT, -150),
        ('"PRIJEM";"";1.50;0.00;"UROK";;', Nature.INTEREST, 150),
        ('"VYDAJ";"VYBER";1.50;0.00;"SANKC. UROK";;', Nature.PENALTY_INTEREST, -150),
        ('"VYDAJ";"VYBER";1.50;0.00;"SLUZBY";;', Nature.STATEMENT_FEE, -150),
    ],
)
def test_what_a_record_is(columns: str, nature: Nature, change: int) -> None:
    found = one(f"1;576;930101;{columns}")
    assert (found.nature, found.change) == (nature, change)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "expected 10 columns, found 0"),
        (DEPOSIT + ";", "expected 10 columns, found 11"),
        (DEPOSIT.replace('"VKLAD"', '"VKLAD'), "can't be read"),
        (DEPOSIT.replace("171812", "0171812"), "trans_id is '0171812'"),
        (DEPOSIT.replace("171812", ""), "trans_id is ''"),
        (DEPOSIT.replace("576", "57 6"), "account_id is '57 6'"),
        (DEPOSIT.replace("576", "\u0665"), "account_id is '\u0665'"),
        (DEPOSIT.replace("930101", "930230"), "date is '930230', which is no day"),
        (DEPOSIT.replace("930101", "19930101"), "date is '19930101'"),
        (DEPOSIT.replace("PRIJEM", "PRIJ"), "no such record: type 'PRIJ'"),
        (DEPOSIT.replace("VKLAD", ""), "no such record"),
        (DEPOSIT.replace('"";;', '"UROK";;'), "no such record"),
        (DEPOSIT.replace('"";;', '"  ";;'), "no such record"),
        (DEPOSIT.replace("900.00;900", "0.00;900"), "amount is 0.00"),
        (DEPOSIT.replace("900.00;900", "-900.00;900"), "amount is -900.00"),
        (DEPOSIT.replace("900.00;900", "900;900"), "amount is '900'"),
        (DEPOSIT.replace("900.00;900", "9e2;900"), "amount is '9e2'"),
        (DEPOSIT.replace("900.00;900", "900,00;900"), "amount is '900,00'"),
        (DEPOSIT.replace(";900.00;900.00", ";900.00;"), "balance is ''"),
        (DEPOSIT.replace('"";;', '"";"AB";'), "bank is 'AB', but only transfers"),
        (PENSION.replace('"YZ"', ""), "bank is ''"),
        (PENSION.replace('"YZ"', '"yz"'), "bank is 'yz'"),
        (PENSION.replace('"30300313"', '"CZ-1"'), "account is 'CZ-1'"),
    ],
)
def test_a_malformed_line_is_named(line: str, problem: str) -> None:
    with pytest.raises(MalformedFileError, match=r"^line 3: ") as raised:
        read(DEPOSIT.replace("171812", "1"), line)
    assert problem in str(raised.value)
    assert raised.value.line == 3


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(MalformedFileError, match="line 2: can't be read"):
        read_lines([HEADING.encode() + b"\n", b"\xff\xfe\n"])


def test_a_record_number_stands_once() -> None:
    with pytest.raises(MalformedFileError, match="line 4: record 171812 stands in line 2 already"):
        read(DEPOSIT, PENSION, DEPOSIT)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "line 1: the file ends without a record"),
        ([HEADING.encode()], "line 2: the file ends without a record"),
        ([DEPOSIT.encode()], "line 1: expected the heading trans_id;"),
    ],
)
def test_a_file_that_is_none(lines: list[bytes], problem: str) -> None:
    with pytest.raises(MalformedFileError, match=problem):
        read_lines(lines)


def test_other_line_ends_are_the_same_file() -> None:
    with_returns = read_lines([f"{HEADING}\r\n".encode(), f"{DEPOSIT}\r\n".encode()])
    assert with_returns == read(DEPOSIT) == read_lines([f"{HEADING}\n".encode(), DEPOSIT.encode()])


# --- what is booked where ---------------------------------------------------------------------------------


def test_a_transfer_becomes_a_posting() -> None:
    request = chart.transaction(one(PENSION))
    assert request.idempotency_key == request.reference == "171813"
    assert (request.debit_account_id, request.credit_account_id) == (
        "acc_correspondent_YZ",
        "acc_customer_576",
    )
    assert request.amount == messages.Money(currency="CZK", amount="6207.00")
    assert request.status == messages.TRANSACTION_STATUS_POSTED
    assert request.effective_time.ToDatetime(tzinfo=UTC) == datetime(1993, 1, 11, tzinfo=UTC)
    assert request.description == "Transfer from another bank, pension"
    assert request.counterparty == "30300313/YZ"
    assert json_format.MessageToDict(request.metadata) == {
        "type": "PRIJEM",
        "operation": "PREVOD Z UCTU",
        "k_symbol": "DUCHOD",
        "bank": "YZ",
        "account": "30300313",
        "stated_balance": "7107.00",
    }


@pytest.mark.parametrize(
    ("columns", "debit", "credit"),
    [
        ('"PRIJEM";"VKLAD";1.50;0.00;"";;', "acc_cash_vault", "acc_customer_576"),
        ('"VYDAJ";"VYBER";1.50;0.00;"";;', "acc_customer_576", "acc_cash_vault"),
        ('"VYDAJ";"VYBER KARTOU";1.50;0.00;"";;"0"', "acc_customer_576", "acc_card_settlement"),
        ('"VYDAJ";"PREVOD NA UCET";1.50;0.00;"UVER";"AB";"1"', "acc_customer_576", "acc_correspondent_AB"),
        ('"PRIJEM";"";1.50;0.00;"UROK";;', "acc_interest_paid", "acc_customer_576"),
        ('"VYDAJ";"VYBER";1.50;0.00;"SANKC. UROK";;', "acc_customer_576", "acc_penalty_interest"),
        ('"VYDAJ";"VYBER";1.50;0.00;"SLUZBY";;', "acc_customer_576", "acc_statement_fees"),
    ],
)
def test_the_two_accounts(columns: str, debit: str, credit: str) -> None:
    request = chart.transaction(one(f"1;576;930101;{columns}"))
    assert (request.debit_account_id, request.credit_account_id) == (debit, credit)


def test_a_request_depends_on_nothing_but_the_record() -> None:
    # Sent again tomorrow it must be the same request, or the ledger refuses it as another use of its key.
    assert chart.transaction(one(PENSION)) == chart.transaction(one(PENSION))
    overdrawn = chart.transaction(one('1;576;930101;"VYDAJ";"VYBER";1.50;-0.05;"";;'))
    assert overdrawn.metadata["stated_balance"] == "-0.05"
    assert overdrawn.counterparty == ""


def test_the_chart_has_parents_before_children_and_every_account_that_is_posted_to() -> None:
    records = read(DEPOSIT, PENSION, '9;12;930101;"VYDAJ";"PREVOD NA UCET";1.50;0.00;"";"AB";"1"')
    accounts = chart.chart(records)
    seen = {""}
    for account in accounts:
        assert account.parent_id in seen
        seen.add(account.account_id)
    assert len(seen) == len(accounts) + 1
    assert len({account.code for account in accounts}) == len(accounts)
    for request in map(chart.transaction, records):
        assert {request.debit_account_id, request.credit_account_id} <= seen
    assert [a.name for a in accounts if a.parent_id == chart.CUSTOMERS] == ["Customer 12", "Customer 576"]
    assert chart.chart(reversed(records)) == accounts


def test_batches_keep_the_order() -> None:
    accounts = chart.chart(read(DEPOSIT))
    cut = chart.batches(accounts, 5)
    assert [account for batch in cut for account in batch] == accounts
    assert max(map(len, cut)) == 5


# --- the arithmetic of the reports ------------------------------------------------------------------------


def test_month_ends_from_the_first_record_to_the_last() -> None:
    records = read(
        record(1, "1", "940215", "1.00", "1.00"),
        record(2, "1", "931130", "1.00", "1.00"),
        record(3, "1", "931201", "1.00", "1.00"),
    )
    assert figures.month_ends(records) == [
        date(1993, 11, 30), date(1993, 12, 31), date(1994, 1, 31), date(1994, 2, 28),
    ]  # fmt: skip
    assert figures.end_of(date(1993, 12, 31)) == datetime(1993, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_trial_balance_shows_each_side_of_a_group() -> None:
    groups = {"cash": "Cash", "a": "Customers", "b": "Customers", "idle": "Idle", "fees": "Fees"}
    nets = {"cash": 700, "a": 50, "b": -740, "idle": 0, "fees": -10}
    assert figures.trial_balance(nets, groups) == [
        figures.TrialLine("Cash", 700, 0),
        figures.TrialLine("Customers", 50, 740),
        figures.TrialLine("Fees", 0, 10),
    ]


def test_the_nearest_balance_of_the_last_day_counts() -> None:
    records = read(
        record(1, "7", "930101", "9.00", "9.00"),
        record(2, "7", "930105", "5.00", "14.00"),
        record(3, "7", "930105", "4.00", "10.00", out=True),
        record(4, "12", "930102", "2.50", "2.50"),
        record(5, "3", "930102", "3.00", "9.99"),
        record(6, "4", "930102", "3.00", "2.00"),
    )
    balances = {"7": 1000, "12": 240, "3": 300, "4": 300}
    compared = figures.compare(records, balances)
    assert compared == [
        figures.Comparison("3", 300, 999),
        figures.Comparison("4", 300, 200),
        figures.Comparison("7", 1000, 1000),
        figures.Comparison("12", 240, 250),
    ]
    assert figures.agreement(compared) == figures.Agreement(exact=1, within=2, off=1)


@pytest.mark.parametrize(
    ("units", "text"),
    [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456_789, "1,234,567.89"), (-100, "-1.00")],
)
def test_amounts_for_people(units: int, text: str) -> None:
    assert reports.amount(units) == text


def printed(width: int = 80) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, highlight=False), out


def some_account(account_id: str, name: str, parent_id: str = "") -> messages.Account:
    side = messages.SIDE_DEBIT if account_id == "acc_cash_vault" else messages.SIDE_CREDIT
    return messages.Account(id=account_id, name=name, parent_id=parent_id, normal_side=side)


def some_book() -> reports.Book:
    accounts = [
        (some_account("acc_cash_vault", "Cash vault"), 0),
        (some_account("acc_customers", "Customers"), 0),
        (some_account("acc_customer_1", "Customer 1", "acc_customers"), 1),
        (some_account("acc_customer_2", "Customer 2", "acc_customers"), 1),
    ]
    return reports.Book("entity_1", 7, accounts)


def test_the_chart_folds_customers_unless_asked() -> None:
    nets = {"acc_cash_vault": 650, "acc_customers": -650, "acc_customer_1": 50, "acc_customer_2": -700}
    console, out = printed()
    reports.print_chart(console, some_book(), nets, customers=False)
    assert "2 accounts, 1 overdrawn" in out.getvalue()
    assert "Customer 2" not in out.getvalue()
    assert "6.50" in out.getvalue()
    console, out = printed()
    reports.print_chart(console, some_book(), nets, customers=True)
    assert "7.00" in out.getvalue()
    assert "-0.50" in out.getvalue()
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())


def test_customers_are_one_group_of_the_trial_balance() -> None:
    assert some_book().groups() == {
        "acc_cash_vault": "Cash vault",
        "acc_customers": "Customers",
        "acc_customer_1": "Customers",
        "acc_customer_2": "Customers",
    }


def test_those_who_are_off_are_named() -> None:
    compared = [
        figures.Comparison("3", 300, 999),
        figures.Comparison("4", 300, 200),
        figures.Comparison("5", 300, 300),
    ]
    console, out = printed()
    reports.print_comparison(console, compared, figures.agreement(compared))
    assert out.getvalue().splitlines() == [
        "customer 3: ledger 3.00, bank 9.99, off by 6.99",
        "largest difference from the bank's stated balances: 6.99 CZK",
    ]


def test_the_refused_are_named_and_the_last_line_has_its_form() -> None:
    refusal = LedgerError(grpc.StatusCode.FAILED_PRECONDITION, "frozen", reason="ACCOUNT_FROZEN")
    tally = posting.Tally(posted=3, replayed=2, refused=[(one(DEPOSIT), refusal)])
    console, out = printed()
    reports.print_refusals(console, tally)
    assert out.getvalue() == "refused: record 171812 (line 2): ACCOUNT_FROZEN: frozen\n"
    compared = [figures.Comparison("4", 300, 200), figures.Comparison("5", 300, 300)]
    assert reports.summary(tally, compared, figures.agreement(compared)) == (
        "posted 3, replayed 2, customers 2, exact 1, within 1.00 1, off 0"
    )


# --- the command line -------------------------------------------------------------------------------------


def invoke(arguments: Iterable[str], token: str = "some-token-0123456789") -> tuple[int, str]:
    result = CliRunner().invoke(
        import_bank_history.app,
        list(arguments),
        env={"LEDGER_TOKEN": token, "LEDGER_TARGET": "127.0.0.1:1"},
    )
    return result.exit_code, result.output


def test_help_tells_the_last_line_and_the_exit_status() -> None:
    code, output = invoke(["--help"])
    assert code == 0
    assert "posted P, replayed R, customers C, exact E, within 1.00 W, off O" in output
    assert "C = E + W + O" in output
    assert "Exit status" in output


def test_a_malformed_file_is_named_and_nothing_is_posted(tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    file.write_text(f"{HEADING}\n{DEPOSIT}\n{DEPOSIT}\n")
    code, output = invoke([str(file)])
    assert code == 2
    assert f"{file}: line 3: record 171812 stands in line 2 already; nothing was posted" in output


def test_files_and_tokens_that_are_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.csv")
    assert invoke([missing]) == (2, f"{missing}: No such file or directory\n")
    assert invoke([missing], token="") == (2, "LEDGER_TOKEN is not set: put the bearer token into it\n")


def test_a_service_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    file.write_text(f"{HEADING}\n{DEPOSIT}\n")
    code, output = invoke([str(file), "--patience", "1"])
    assert code == 3
    # A pause between two attempts that is long enough is told first; how long it is, is a matter of chance.
    assert "\nstopped: UNAVAILABLE: " in f"\n{output}"
    assert "Run the same command again" in output
