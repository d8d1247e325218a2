"""`ledger-service reconcile`: hold an account against what the bank says, from a terminal."""

from __future__ import annotations

import typer

from ledger_service.cli import (
    reconcile_bring,
    reconcile_decide,
    reconcile_lists,
    reconcile_profile,
    reconcile_run,
    reconcile_show,
)
from ledger_service.cli.reconcile_options import add

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Hold an account against what the bank says: take in its files, match, explain every difference.\n\n"
    "Calls a running service. New to it: `reconcile file`. Options that every command needs may stand in the "
    "environment: LEDGER_TARGET, LEDGER_TOKEN, LEDGER_ENTITY, LEDGER_ACCOUNT, LEDGER_CURRENCY.\n\n"
    "Exit status 0: done; 1: refused, with a line that says what to do; 2: wrong use.",
)

_OF = "--entity acme --account acc_bank"

add(app, "file", reconcile_bring.everything, example=f"file june.xml {_OF}")
add(
    app,
    "import",
    reconcile_bring.import_files,
    example=f"import may.xml june.xml {_OF}\n"
    f"import june.csv {_OF} --currency EUR --mapping date-order=dmy --opening 1200.00",
)
add(app, "start", reconcile_bring.start, example=f"start {_OF} --currency EUR --date 2026-06-01 --balance 9800.00")
add(app, "run", reconcile_run.run, example=f"run {_OF}")
add(
    app,
    "show",
    reconcile_show.show,
    example=f"show {_OF} --date 2026-06-30\nshow {_OF} --xlsx june.xlsx --html june.html",
)
add(app, "matches", reconcile_lists.matches, example=f"matches {_OF} --state proposed")
add(app, "findings", reconcile_lists.findings, example=f"findings {_OF} --kind ambiguous")
add(app, "lines", reconcile_lists.lines, example=f"lines {_OF} --open")
add(app, "items", reconcile_lists.items, example=f"items {_OF} --open --json")
add(
    app,
    "confirm",
    reconcile_decide.confirm,
    example=f"confirm 3 5 {_OF}\nconfirm --all --with-write-offs {_OF} --note 'June, checked'",
)
add(app, "reject", reconcile_decide.reject, example=f"reject 7 {_OF} --note 'another customer'")
add(app, "undo", reconcile_decide.undo, example=f"undo 7 {_OF}")
add(
    app,
    "match",
    reconcile_decide.match,
    example=f"match {_OF} --line 4 --transaction txn_0000000200000000g1x8d4vw2m\n"
    f"match {_OF} --line 9 --write-off acc_fees --description 'Bank fee'",
)
add(app, "profile", reconcile_profile.profile, example=f"profile {_OF} --json\nprofile {_OF} --set bank.json")
add(app, "close", reconcile_decide.close, example=f"close {_OF} --date 2026-06-30")
add(app, "reopen", reconcile_decide.reopen, example=f"reopen {_OF} --date 2026-06-30 --note 'a statement was missing'")
add(app, "list", reconcile_lists.reconciliations, example="list --entity acme\nlist --entity acme --account acc_bank")
