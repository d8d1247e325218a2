"""What the demo prints: one line a step, within 80 columns, and a tree."""

from __future__ import annotations

import io

from rich.console import Console

from ledger_client import messages, money
from ledger_service.cli.demo_print import StepPrinter, print_chart, print_trial_balance, tree_guides
from ledger_service.cli.demo_story import Books


def balance(account_id: str, posted: str, available: str | None = None, **totals: str) -> messages.Balance:
    zeros = dict.fromkeys(("debits_posted", "credits_posted", "debits_pending", "credits_pending"), "0.00")
    return messages.Balance(
        account_id=account_id,
        totals=messages.Totals(**{**zeros, **totals}),
        posted=money(posted, "USD"),
        available=money(available or posted, "USD"),
    )


def printed() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=80, highlight=False), out


def test_a_step_is_one_line_of_80_columns() -> None:
    console, out = printed()
    printer = StepPrinter(console)
    printer.print_heading()
    printer.step(
        "hold",
        "Ben reserves for a chair",
        "50.00",
        [
            balance("acc_seller_cleo", "101.00"),
            balance("acc_wallet_ben", "80.00", "30.00"),
            balance("acc_bank", "9.00"),
        ],
    )
    printer.step("settlement", "the card processor pays", "194.20", [balance("acc_bank", "274.20")])
    heading, first, second = out.getvalue().splitlines()
    assert heading == " # step" + " " * 38 + "USD  balance after (of it free)"
    assert first.endswith("  50.00  Ben 80.00 (30.00)  Cleo 101.00")
    assert len(first) == 80
    assert second.startswith(" 2 settlement the card processor pays")
    assert second.endswith(" 194.20  Bank 274.20")


def test_tree_guides() -> None:
    assert tree_guides([0, 1, 2, 2, 1, 0, 1]) == ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "", "└─ "]
    assert tree_guides([0, 1, 2, 1], ascii_only=True) == ["", "+- ", "|  `- ", "`- "]
    assert tree_guides([]) == []


def some_books(credit: str) -> Books:
    accounts = [
        (messages.Account(id="acc_assets", name="Assets", code="1000"), 0),
        (messages.Account(id="acc_bank", name="Bank", code="1010"), 1),
        (messages.Account(id="acc_wallets", name="Wallets", code="2000"), 0),
    ]
    own = {
        "acc_assets": balance("acc_assets", "0.00"),
        "acc_bank": balance("acc_bank", "1250.00", debits_posted="1300.00", credits_posted="50.00"),
        "acc_wallets": balance("acc_wallets", "1250.00", credits_posted=credit),
    }
    return Books(accounts, own, {**own, "acc_assets": balance("acc_assets", "1250.00")})


def test_the_trial_balance_nets_to_zero() -> None:
    console, out = printed()
    assert print_trial_balance(console, some_books("1250.00"))
    assert "nets to zero" in out.getvalue()
    assert "1000" not in out.getvalue(), "an account that weighs nothing is not in it"
    console, out = printed()
    assert not print_trial_balance(console, some_books("1250.01"))
    assert "OFF BY -0.01" in out.getvalue()


def test_the_chart_is_a_tree_with_rolled_up_balances() -> None:
    console, out = printed()
    print_chart(console, some_books("1250.00"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert "  Assets    1000   1,250.00   1,250.00" in lines
    assert "  └─ Bank   1010   1,250.00   1,250.00" in lines
