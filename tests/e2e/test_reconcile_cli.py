"""`ledger-service reconcile`: a month at the bank from an empty ledger to a closing, by its commands alone."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger_client import LedgerClient
from tests.e2e.served import ROOT, TOKEN, environment, finish, free_port, run, served
from tests.helpers.certificates import Authority
from tests.helpers.reconciling_story import BANK, ENTITY, FEES, record, write_files
from tests.helpers.workbook import sheets_of

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]

ID = re.compile(r"txn_[0-9a-z]{26}")

PROFILE = {
    "charges": [
        {
            "name": "account fee",
            "pattern": "account fee",
            "sign": -1,
            "account_id": FEES,
            "description": "Bank fee",
        }
    ],
    "difference_account_id": FEES,
    "difference_description": "Rounding",
}


@dataclass
class Shell:
    """Somebody at a terminal who has set the variables once."""

    variables: dict[str, str]
    ids: dict[str, str]
    folder: Path

    async def __call__(self, *arguments: str, code: int = 0, **variables: str) -> str:
        """What the command prints, both streams together."""
        done = await run("-m", "ledger_service", "reconcile", *arguments, **{**self.variables, **variables})
        assert done.code == code, done.output
        assert "\x1b" not in done.output
        return done.output

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments, "--json"))

    async def refused(self, *arguments: str, code: int = 1, **variables: str) -> str:
        """The one line that it ends with."""
        output = await self(*arguments, code=code, **variables)
        (line,) = output.splitlines()
        assert line.startswith("ledger-service: ")
        return line.removeprefix("ledger-service: ")


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    """An account with a month of transactions, and nothing reconciled yet."""
    async with served(tmp_path) as service:
        async with LedgerClient(service.target, TOKEN) as client:
            ids = await record(client)
        variables = {
            "LEDGER_TARGET": service.target,
            "LEDGER_TOKEN": TOKEN,
            "LEDGER_ENTITY": ENTITY,
            "LEDGER_ACCOUNT": BANK,
        }
        yield Shell(variables, ids, tmp_path)


def lines_of(text: str) -> list[list[str]]:
    """Words, line by line."""
    return [line.split() for line in text.splitlines()]


async def test_a_month_from_the_start_to_the_closing(shell: Shell) -> None:
    june, july = write_files(shell.folder)
    await begin(shell)
    await bring_june(shell, june)
    await match_june(shell)
    await decide(shell)
    await documents(shell)
    await close(shell)
    await bring_july(shell, july)


async def begin(shell: Shell) -> None:
    assert await shell("list") == "none\n"
    refusal = await shell.refused("show")
    assert refusal.startswith("RECONCILIATION_NOT_FOUND: account acc_bank is not reconciled yet; import a statement")
    # What was begun with a slip is begun again.
    day = ("--currency", "EUR", "--date", "2026-06-01")
    begun = await shell("start", *day, "--balance", "990.00")
    assert begun == (
        "acc_bank is reconciled from 2026-06-01 on: statement 990.00, ledger 1,000.00, opening difference 10.00 EUR\n"
    )
    begun = await shell("start", *day)
    assert begun == "acc_bank is reconciled from 2026-06-01 on: statement 1,000.00, ledger 1,000.00 EUR\n"

    assert "The default profile\n" in await shell("profile")
    rules = await shell.json("profile")
    assert rules["rules"][0] == {
        "kind": "REFERENCE", "days": 5, "tolerance": "0.00", "tolerance_ppm": 0, "similarity": 85, "most": 8,
        "auto_confirm": True,
    }  # fmt: skip
    file = shell.folder / "profile.json"
    file.write_text(json.dumps(PROFILE))
    told = await shell("profile", "--set", str(file))
    assert ["account", "fee", "out", FEES, "account", "fee:", "Bank", "fee"] in lines_of(told)
    assert f"differences within a tolerance are written off to {FEES}: Rounding\n" in told
    # What one prints is what one sets.
    changed = await shell.json("profile")
    assert changed == {**rules, **PROFILE}
    file.write_text(json.dumps(changed))
    assert await shell.json("profile", "--set", str(file)) == changed


async def bring_june(shell: Shell, june: Path) -> None:
    statement = "  statement 1  opening 1,000.00, 8 lines of -191.61, closing 808.39 on 2026-06-30\n"
    head = "june.xml  camt.053.001.08, 1 statement: "
    assert await shell("import", str(june)) == head + "8 new lines\n" + statement
    assert await shell("import", str(june)) == head + "is here already\n" + statement
    (line, *_) = (await shell.json("lines", "--open"))["lines"]
    raw = line.pop("raw")
    assert "Rent June" in raw
    assert line == {
        "number": 1, "statement_number": 1, "booking_date": "2026-06-01", "value_date": "2026-06-01",
        "amount": "-800.00", "counterparty": None, "counterparty_account": None, "references": [],
        "text": "Rent June", "bank_code": None, "state": "OPEN", "match_number": 0,
    }  # fmt: skip


async def match_june(shell: Shell) -> None:
    told = await shell("run")
    assert ["same", "reference", "3", "1", "3", "3", "469.89"] in lines_of(told)
    assert ["one", "line", "to", "many", "1", "1", "1", "3", "70.00"] in lines_of(told)
    assert ["charge", "or", "interest", "1", "4.50"] in lines_of(told)
    assert "still open: 2 lines and 3 transactions; write-offs proposed: 2; set CLEARED: 1 transaction\n" in told
    assert "4 matches to look at" in told

    found = (await shell.json("matches", "--state", "proposed"))["matches"]
    assert [(one["number"], one["rule"], one["line_numbers"], one["difference"]) for one in found] == [
        (3, "AMOUNT_AND_DATE", [1], "0.00"),
        (4, "REFERENCE", [4], "0.01"),
        (5, "ONE_LINE_TO_MANY", [5], "0.00"),
        (6, "CHARGE", [8], "4.50"),
    ]
    assert found[2]["transaction_ids"] == [shell.ids[key] for key in ("card-1", "card-2", "card-3")]
    assert found[1]["write_off"] == {
        "account_id": FEES, "description": "Rounding", "amount": "-0.01", "transaction_id": None,
    }  # fmt: skip
    assert (found[0]["write_off"], found[0]["decide_time"]) == (None, None)
    (charge,) = (await shell.json("matches", "--rule", "charge"))["matches"]
    assert charge["number"] == 6

    kinds = [one["kind"] for one in (await shell.json("findings"))["findings"]]
    assert sorted(kinds) == [
        "AMBIGUOUS", "AMOUNT_DIFFERS", "BATCHED", "CHARGE", "IN_TRANSIT", "MISSING_IN_LEDGER",
    ]  # fmt: skip
    (ambiguous,) = (await shell.json("findings", "--kind", "ambiguous"))["findings"]
    pairs = [pair for option in ambiguous["options"] for pair in option["pairs"]]
    assert pairs == [{"line_numbers": [6], "transaction_ids": [shell.ids[key]]} for key in ("cash-1", "cash-2")]
    # Tables say the same, with every id whole, in a narrow terminal and in a wide one.
    for width in (80, 140):
        table = await shell("findings", COLUMNS=str(width))
        assert max(map(len, table.splitlines())) <= width
        assert f"either 1: line 6 and {shell.ids['cash-1']}" in table
        assert f"or 2: line 6 and {shell.ids['cash-2']}" in table
        table = await shell("matches", COLUMNS=str(width))
        assert max(map(len, table.splitlines())) <= width
        assert "write-off to acc_bank_fees, not booked yet:" in table
        table = await shell("items", COLUMNS=str(width))
        assert max(map(len, table.splitlines())) <= width
        assert all(shell.ids[key] in table for key in shell.ids if key != "capital")
        table = await shell("lines", COLUMNS=str(width))
        assert "matched 1" in table
        assert "Northwind Traders invoice 1001" in table


async def decide(shell: Shell) -> None:
    refusal = await shell.refused("close", "--date", "2026-06-30")
    assert refusal == (
        "RECONCILIATION_UNFINISHED: it can't be closed yet: 4 of its matches are only proposed, such as 3; "
        "confirm or reject them"
    )
    assert await shell("confirm", "3") == "confirmed 1 match\n"
    assert await shell("confirm", "--all", "--note", "June") == "confirmed 1 match\n"
    assert await shell("confirm", "--all", "--with-write-offs") == "confirmed 2 matches, booked 2 write-offs\n"
    assert (await shell.refused("reject", "3")).startswith("INVALID_MATCH_STATE: match 3 is CONFIRMED")

    told = await shell("match", "--line", "6", "--transaction", shell.ids["cash-1"], "--note", "by the slip")
    assert f"line 6 and {shell.ids['cash-1']}" in told
    assert "note: by the slip" in told
    told = await shell("match", "--line", "7", "--write-off", "acc_sales", "--description", "Unknown payer")
    assert "write-off to acc_sales, not booked yet:" in told
    assert await shell("confirm", "8") == "confirmed 1 match, booked 1 write-off\n"

    # A batch that was none after all: taken apart, proposed again, rejected, and gone for good.
    assert await shell("undo", "5", "--note", "another batch") == "taken apart: 1 match\n"
    assert (await shell.json("run"))["matched"] == [
        {"rule": "ONE_LINE_TO_MANY", "matches": 1, "proposed": 1, "lines": 1, "transactions": 3, "amount": "70.00"}
    ]
    assert await shell("reject", "--all") == "rejected: 1 match\n"
    assert (await shell.json("run"))["matched"] == []
    cards = [word for key in ("card-1", "card-2", "card-3") for word in ("--transaction", shell.ids[key])]
    await shell("match", "--line", "5", *cards)
    assert (await shell.json("items", "--open"))["items"] == [
        {
            "transaction_id": shell.ids[key], "date": day, "amount": amount, "counterparty": party,
            "reference": reference, "description": text, "status": "POSTED", "state": "OPEN", "match_number": 0,
        }
        for key, day, amount, party, reference, text in (
            ("cash-2", "2026-06-12", "40.00", None, None, "cash 2"),
            ("invoice-1009", "2026-06-30", "75.00", "Late Ltd", "INV-1009", "Invoice 1009"),
        )
    ]  # fmt: skip


async def documents(shell: Shell) -> None:
    table = await shell("show", "--items", "1")
    assert ["Balance", "per", "statement", "808.39"] in lines_of(table)
    assert ["Add:", "deposits", "in", "transit", "115.00"] in lines_of(table)
    assert ["Balance", "per", "ledger", "923.39"] in lines_of(table)
    assert "✓ explained to the last minor unit" in table
    assert "and 1 more" in table

    result = await shell.json("show", "--date", "2026-06-30")
    assert result["equation"] == {
        "statement_balance": "808.39", "deposits_in_transit": "115.00", "outstanding_payments": "0.00",
        "receipts_not_recorded": "0.00", "payments_not_recorded": "0.00", "write_offs_proposed": "0.00",
        "differences": "0.00", "opening_difference": "0.00", "statement_gap": "0.00", "ledger_balance": "923.39",
        "total": "923.39", "unexplained": "0.00", "adds_up": True,
    }  # fmt: skip
    assert [one["id"] for one in result["open_items"]] == [shell.ids["cash-2"], shell.ids["invoice-1009"]]

    files = {suffix: shell.folder / f"june.{suffix}" for suffix in ("csv", "xlsx", "html")}
    told = await shell("show", *(word for suffix, file in files.items() for word in (f"--{suffix}", str(file))))
    assert told.splitlines() == [f"saved {file}, {file.stat().st_size:,} bytes" for file in files.values()]
    assert shell.ids["invoice-1009"] in files["csv"].read_text()
    assert files["html"].read_text().startswith("<!")
    workbook = sheets_of(files["xlsx"].read_bytes())
    assert any(cell.text == shell.ids["cash-2"] for cells in workbook.values() for cell in cells.values())
    assert (await shell("show", "--csv", "-")).encode() == files["csv"].read_bytes()


async def close(shell: Shell) -> None:
    assert await shell("close", "--date", "2026-06-30", "--note", "checked") == (
        "acc_bank is closed to 2026-06-30: statement 808.39, ledger 923.39 EUR\ncarried over: 0 lines, 2 transactions\n"
    )
    assert (await shell.refused("undo", "1")).startswith("RECONCILIATION_CLOSED: match 1 is part of what is closed")
    assert await shell("reopen", "--date", "2026-06-30", "--note", "too early") == (
        "acc_bank: the closing to 2026-06-30 is taken back\n"
    )
    await shell("close", "--date", "2026-06-30")
    assert "Closed by bootstrap on " in await shell("show", "--date", "2026-06-30")
    closings = (await shell.json("list", "--account", BANK))["reconciliations"]
    assert [(one["date"], one["is_closed"], one["is_reopened"], one["ledger_balance"]) for one in closings] == [
        ("2026-06-30", True, False, "923.39"),
        ("2026-06-30", True, True, "923.39"),
    ]
    assert ["acc_bank", "EUR", "reopened", "2026-06-30", "808.39", "923.39", "bootstrap"] in lines_of(
        await shell("list", "--account", BANK)
    )
    assert ["acc_bank", "EUR", "open", "2026-06-30", "808.39"] in lines_of(await shell("list"))


async def bring_july(shell: Shell, july: Path) -> None:
    """A file that does not tell all, and all in one."""
    refusal = await shell.refused("import", str(july))
    assert refusal.startswith(f"{july}: ")
    assert "the dates may have the day or the month first" in refusal
    balances = ("--opening", "808.39", "--closing", "895.39")
    told = await shell("file", str(july), "--mapping", "date-order=dmy", *balances)
    assert told.startswith(
        "july.csv  CSV, 1 statement: 2 new lines\n"
        "  statement 2  opening 808.39, 2 lines of 87.00, closing 895.39 on 2026-07-02\n"
    )
    assert ["same", "reference", "1", "0", "1", "1", "75.00"] in lines_of(told)
    assert ["Less:", "receipts", "not", "recorded", "-12.00"] in lines_of(told)
    assert "✓ explained to the last minor unit" in told
    # What is closed stays matched: only July's match is left to be undone.
    assert await shell("undo", "--all") == "taken apart: 1 match\n"
    assert [one["number"] for one in (await shell.json("lines", "--statement", "2"))["lines"]] == [9, 10]


async def test_the_guide_is_true(shell: Shell) -> None:
    """docs/reconciliation.md: its commands print what stands there; "…" is anything, ids are others."""
    guide = (ROOT / "docs" / "reconciliation.md").read_text()
    write_files(shell.folder)
    (profile,) = re.findall(r"^```json\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    (shell.folder / "profile.json").write_text(profile)
    ids: dict[str, str] = {}
    commands = [part for block in re.findall(r"^```console\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
                for part in block.split("$ ledger-service ")[1:]]  # fmt: skip
    assert len(commands) == 11
    for part in commands:
        command, _, told = part.partition("\n")
        words = [ids.get(word, word) for word in shlex.split(command)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ledger_service", *words, cwd=shell.folder, env=environment(shell.variables),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        done = await finish(process)
        names = ID.findall(told)
        pattern = ID.sub("\0", told)
        pattern = re.escape(pattern).replace("\0", f"({ID.pattern})").replace("…\\\n", "(?s:.*)")
        found = re.fullmatch(pattern, done.output)
        assert found is not None, (command, done.output)
        ids.update(zip(names, found.groups(), strict=True))


async def test_wrong_use_and_refusals_are_one_line(shell: Shell, tmp_path: Path) -> None:
    june, _ = write_files(tmp_path)
    await shell("import", str(june))
    for arguments, code, told in (
        (("confirm",), 2, "give either numbers of matches or --all"),
        (("confirm", "1", "--all"), 2, "give either numbers of matches or --all"),
        (("confirm", "1", "--with-write-offs"), 2, "--with-write-offs goes with --all"),
        (("reject", "99"), 1, "MATCH_NOT_FOUND: match 99 does not exist"),
        (("match", "--line", "1"), 1, "INVALID_ARGUMENT: --line: a match has at least two members"),
        (("match", "--line", "1", "--line", "99"), 1, "ITEM_NOT_OPEN: line 99 is matched already, settled"),
        (("match", "--line", "1", "--write-off", "acc_no", "--description", "x"), 1, "ACCOUNT_NOT_FOUND: --write-off:"),
        (("close", "--date", "2026-06-31"), 1, "INVALID_ARGUMENT: --date: '2026-06-31' is no day"),
        (("close", "--date", "2026-06-20"), 1, "RECONCILIATION_UNFINISHED: it can't be closed yet: no statement ends"),
        (("reopen", "--date", "2026-06-30"), 1, "RECONCILIATION_NOT_FOUND: "),
        (("show", "--date", "2025-01-01"), 1, "RECONCILIATION_NOT_FOUND: nothing was closed to 2025-01-01"),
        (("show", "--json", "--csv", "-"), 2, "only one document fits on standard output"),
        (("show", "--csv", str(tmp_path)), 2, f"{tmp_path}: Is a directory"),
        (("show", "--currency", "USD"), 1, "RECONCILIATION_NOT_FOUND: account acc_bank is not reconciled in USD yet"),
        (("import", str(june), "--currency", "USD"), 1, f"{june}: STATEMENT_MISMATCH: file: is in EUR"),
        (("import", str(june), "/nowhere.xml"), 2, "/nowhere.xml: No such file or directory"),
        (("import", str(june), str(june), "--opening", "1.00"), 2, "--opening and --closing are of one file"),
        (("import", str(june), "--mapping", "when=x"), 2, ""),
        (("profile", "--set", str(june)), 2, f"{june}: is no JSON: "),
        (("lines", "--account", "acc_no"), 1, "ACCOUNT_NOT_FOUND: --account: account acc_no does not exist"),
        (("list", "--entity", "acme2"), 1, "ENTITY_NOT_FOUND: "),
        (("list", "--ca", str(june)), 2, f"--ca: {june} holds no certificate in PEM"),
    ):  # fmt: skip
        refusal = await shell.refused(*arguments, code=code)
        assert refusal.startswith(told), (arguments, refusal)
    assert "accept_differences" not in (await shell.refused("close", "--date", "2026-06-20"))
    nobody = f"127.0.0.1:{free_port()}"
    refusal = await shell.refused("show", "--target", nobody)
    assert refusal == f"no service answers at {nobody}: start one with `make run`, or name another one with --target"
    assert "does not know this token" in await shell.refused("show", "--token", "not-a-token-of-this-service")
    assert "Missing option '--entity'" in await shell("show", code=2, LEDGER_ENTITY="")


async def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.server_files()
    variables = {"LEDGER_TLS_CERTIFICATE": str(certificate), "LEDGER_TLS_KEY": str(key)}
    async with served(tmp_path, **variables) as service:
        asked = ("-m", "ledger_service", "reconcile", "list", "--entity", "acme")
        connection = {"LEDGER_TARGET": service.target, "LEDGER_TOKEN": TOKEN}
        done = await run(*asked, **connection, LEDGER_CA=str(authority.trust_file()))
        assert (done.code, done.output[:33]) == (1, "ledger-service: ENTITY_NOT_FOUND:")
        done = await run(*asked, **connection)
        assert (done.code, done.output[:34]) == (1, "ledger-service: no service answers")
