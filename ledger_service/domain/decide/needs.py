"""What a batch has to know of an entity before it can be decided: told from the commands alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger_service.domain import commands as c
from ledger_service.domain.account import AccountState
from ledger_service.domain.identifiers import parse_transaction_id


@dataclass(slots=True)
class Needs:
    """Keys, accounts and transactions that the commands of one entity mention."""

    keys: set[str] = field(default_factory=set)
    positions: set[tuple[str, str]] = field(default_factory=set)
    """Accounts by id with the currency whose head is wanted."""
    account_ids: set[str] = field(default_factory=set)
    """Accounts whose head is not wanted."""
    whole_account_ids: set[str] = field(default_factory=set)
    """Accounts whose heads in all currencies, and open children, are wanted."""
    parent_ids: set[str] = field(default_factory=set)
    """Accounts that are wanted with all their ancestors."""
    moved_ids: set[str] = field(default_factory=set)
    """Accounts that get another parent: how much lies below them is wanted."""
    created_ids: set[str] = field(default_factory=set)
    """Accounts that may have been created by the same request before."""
    codes: set[str] = field(default_factory=set)
    category_ids: set[str] = field(default_factory=set)
    category_names: set[str] = field(default_factory=set)
    transaction_nos: set[int] = field(default_factory=set)
    guarded_nos: set[int] = field(default_factory=set)
    """Transactions of which it must be known whether a closed reconciliation holds them."""
    reconciliations: set[tuple[str, str]] = field(default_factory=set)
    """Accounts by id with the currency in which their reconciliation is wanted."""
    is_plain: bool = True
    """Nothing but events and entries will be written."""


def needs_of(entity_no: int, units: Iterable[c.Unit]) -> Needs:
    """What to load for the units of one entity."""
    needs = Needs()
    for unit in units:
        for command in unit.commands:
            if command.key is not None:
                needs.keys.add(command.key)
            if type(command) is c.CreateTransaction:
                for account_id, _, currency, _ in command.postings:
                    needs.positions.add((account_id, currency))
                if command.category_id is not None:
                    needs.category_ids.add(command.category_id)
            else:
                ask = _ASK.get(type(command))
                if type(command) not in c.POSTING:
                    needs.is_plain = False
                if ask is not None:
                    ask(needs, entity_no, command)
    return needs


def _edit(needs: Needs, entity_no: int, command: c.EditTransaction) -> None:
    _guarded(needs, entity_no, command.transaction_id)
    # Their heads are loaded with the transaction's: only it knows the currencies.
    needs.whole_account_ids.update(command.accounts or ())
    needs.whole_account_ids.update(filter(None, (command.debit_account_id, command.credit_account_id)))


def _approve(needs: Needs, entity_no: int, command: c.ApproveTransactions) -> None:
    for approval in command.approvals:
        if approval.amount is None:
            _transaction(needs, entity_no, approval.transaction_id)
        else:
            _guarded(needs, entity_no, approval.transaction_id)


def _one(needs: Needs, entity_no: int, command: c.ClearTransaction | c.ReverseTransaction) -> None:
    _transaction(needs, entity_no, command.transaction_id)


def _void(needs: Needs, entity_no: int, command: c.VoidTransaction) -> None:
    _guarded(needs, entity_no, command.transaction_id)


def _create_account(needs: Needs, _entity_no: int, command: c.CreateAccount) -> None:
    needs.created_ids.add(command.account_id)
    if command.code is not None:
        needs.codes.add(command.code)
    if command.parent_id is not None:
        needs.parent_ids.add(command.parent_id)


def _update_account(needs: Needs, _entity_no: int, command: c.UpdateAccount) -> None:
    if command.fields & {"limits", "currencies"}:
        needs.whole_account_ids.add(command.account_id)
    else:
        needs.account_ids.add(command.account_id)
    if command.code is not None:
        needs.codes.add(command.code)
    if command.parent_id is not None:
        needs.parent_ids.add(command.parent_id)
        needs.moved_ids.add(command.account_id)


def _set_account_state(needs: Needs, _entity_no: int, command: c.SetAccountState) -> None:
    if command.state is AccountState.CLOSED:
        needs.whole_account_ids.add(command.account_id)
    else:
        needs.account_ids.add(command.account_id)


def _categorize(needs: Needs, entity_no: int, command: c.CategorizeTransaction) -> None:
    _transaction(needs, entity_no, command.transaction_id)
    if command.category_id is not None:
        needs.category_ids.add(command.category_id)


def _category(needs: Needs, _entity_no: int, command: c.CreateCategory | c.UpdateCategory | c.ArchiveCategory) -> None:
    needs.category_ids.add(command.category_id)
    if not isinstance(command, c.ArchiveCategory) and command.name:
        needs.category_names.add(command.name)


def _advance(needs: Needs, _entity_no: int, command: c.AdvanceReconciliation) -> None:
    needs.account_ids.add(command.account_id)
    needs.reconciliations.add((command.account_id, command.currency))
    needs.transaction_nos.update(command.freezes)


def _transaction(needs: Needs, entity_no: int, text: str) -> None:
    place = parse_transaction_id(text)
    if place is not None and place[0] == entity_no:
        needs.transaction_nos.add(place[1])


def _guarded(needs: Needs, entity_no: int, text: str) -> None:
    place = parse_transaction_id(text)
    if place is not None and place[0] == entity_no:
        needs.transaction_nos.add(place[1])
        needs.guarded_nos.add(place[1])


_ASK: dict[type, Callable[[Needs, int, Any], None]] = {
    c.EditTransaction: _edit,
    c.ApproveTransactions: _approve,
    c.ClearTransaction: _one,
    c.VoidTransaction: _void,
    c.ReverseTransaction: _one,
    c.CreateAccount: _create_account,
    c.UpdateAccount: _update_account,
    c.SetAccountState: _set_account_state,
    c.CategorizeTransaction: _categorize,
    c.CreateCategory: _category,
    c.UpdateCategory: _category,
    c.ArchiveCategory: _category,
    c.AdvanceReconciliation: _advance,
}
