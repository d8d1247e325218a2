"""The marketplace of the demo: its chart of accounts, and the day that is played on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from ledger_client import LedgerClient, LedgerError, messages, money, paginate, timestamp
from ledger_service.cli.errors import CommandError

CURRENCY: Final = "USD"

_BANK: Final = "acc_bank"
_CARDS: Final = "acc_card_processor"
_ANN: Final = "acc_wallet_ann"
_BEN: Final = "acc_wallet_ben"
_CLEO: Final = "acc_seller_cleo"
_FEES: Final = "acc_fees"
_FEES_RETURNED: Final = "acc_fees_returned"
_COSTS: Final = "acc_card_costs"

WALLETS: Final = {_ANN: "Ann", _BEN: "Ben", _CLEO: "Cleo"}
"""Whose money it is, and what the steps call them."""

OWN: Final = {_BANK: "Bank"}
"""The same for what the marketplace itself has."""

_ASSET: Final = messages.ACCOUNT_TYPE_ASSET
_LIABILITY: Final = messages.ACCOUNT_TYPE_LIABILITY
_REVENUE: Final = messages.ACCOUNT_TYPE_REVENUE
_EXPENSE: Final = messages.ACCOUNT_TYPE_EXPENSE

# Id, type, code, name, parent; parents before their children.
_CHART: Final = (
    ("acc_assets", _ASSET, "1000", "Assets", ""),
    (_BANK, _ASSET, "1010", "Bank account", "acc_assets"),
    (_CARDS, _ASSET, "1020", "Due from card processor", "acc_assets"),
    ("acc_liabilities", _LIABILITY, "2000", "Liabilities", ""),
    ("acc_wallets", _LIABILITY, "2100", "Customer wallets", "acc_liabilities"),
    (_ANN, _LIABILITY, "2101", "Ann", "acc_wallets"),
    (_BEN, _LIABILITY, "2102", "Ben", "acc_wallets"),
    ("acc_sellers", _LIABILITY, "2200", "Sellers", "acc_liabilities"),
    (_CLEO, _LIABILITY, "2201", "Cleo's shop", "acc_sellers"),
    ("acc_revenue", _REVENUE, "4000", "Revenue", ""),
    (_FEES, _REVENUE, "4010", "Fees", "acc_revenue"),
    (_FEES_RETURNED, _REVENUE, "4090", "Fees returned (contra)", "acc_revenue"),
    ("acc_expenses", _EXPENSE, "5000", "Expenses", ""),
    (_COSTS, _EXPENSE, "5010", "Card processing", "acc_expenses"),
)
_CONTRA: Final = frozenset({_FEES_RETURNED})
# What a wallet holds belongs to its owner: it can't be spent twice, and nobody gets credit.
_NEVER_BELOW_ZERO: Final = frozenset(WALLETS)

_HOLD_DAYS: Final = 7
_ACCOUNTS_PER_PAGE: Final = 1000


class Steps(Protocol):
    """Where the story is told."""

    def step(self, kind: str, what: str, amount: str, balances: Iterable[messages.Balance]) -> None:
        """Tell one step: a word for it, a few words about it, the amount, and balances after it."""


@dataclass(frozen=True, slots=True)
class Books:
    """The state of an entity, all as of one sequence.

    Attributes:
        accounts: all accounts with their depths in the tree, parents before their children.
        own: balance of each account by itself, by id.
        rolled_up: balance of each account with everything below it, by id.
    """

    accounts: Sequence[tuple[messages.Account, int]]
    own: dict[str, messages.Balance]
    rolled_up: dict[str, messages.Balance]


def _debit(account_id: str, amount: str) -> messages.Posting:
    return messages.Posting(account_id=account_id, side=messages.SIDE_DEBIT, amount=money(amount, CURRENCY))


def _credit(account_id: str, amount: str) -> messages.Posting:
    return messages.Posting(account_id=account_id, side=messages.SIDE_CREDIT, amount=money(amount, CURRENCY))


class Story:
    """One day, on an entity of its own. The keys are simple words: nobody else uses this entity."""

    def __init__(self, client: LedgerClient, entity_id: str, steps: Steps) -> None:
        self._client = client
        self._entity_id = entity_id
        self._steps = steps

    async def prepare(self) -> None:
        """Create the entity and its chart of accounts."""
        await self._client.entities.CreateEntity(
            messages.CreateEntityRequest(entity_id=self._entity_id, name="Demo marketplace")
        )
        floor = messages.BalanceLimit(currency=CURRENCY, floor="0.00")
        accounts = [
            messages.CreateAccountRequest(
                account_id=account_id,
                type=kind,
                code=code,
                name=name,
                parent_id=parent_id,
                contra=account_id in _CONTRA,
                limits=[floor] if account_id in _NEVER_BELOW_ZERO else [],
            )
            for account_id, kind, code, name, parent_id in _CHART
        ]
        await self._client.accounts.BatchCreateAccounts(
            messages.BatchCreateAccountsRequest(entity_id=self._entity_id, requests=accounts)
        )

    async def play(self) -> None:
        """Tell the whole day. Raises LedgerError when the service refuses what it should take."""
        await self._money_comes_in()
        await self._a_sale_and_a_refund()
        await self._a_hold_and_its_capture()
        await self._a_hold_and_its_release()
        await self._a_fee_in_error()
        await self._a_payout()

    async def _money_comes_in(self) -> None:
        # The processor keeps its share: three postings, one transaction.
        postings = [_debit(_CARDS, "194.20"), _debit(_COSTS, "5.80"), _credit(_ANN, "200.00")]
        made = await self._create("deposit-ann", postings)
        self._steps.step("deposit", "Ann, by card (costs 5.80)", "200.00", made.balances)
        made = await self._create("deposit-ben", [_debit(_BANK, "80.00"), _credit(_BEN, "80.00")])
        self._steps.step("deposit", "Ben, by bank transfer", "80.00", made.balances)
        made = await self._create("settle-cards", [_debit(_BANK, "194.20"), _credit(_CARDS, "194.20")])
        self._steps.step("settlement", "the card processor pays", "194.20", made.balances)

    async def _a_sale_and_a_refund(self) -> None:
        sale = [_debit(_ANN, "60.00"), _credit(_CLEO, "54.00"), _credit(_FEES, "6.00")]
        made = await self._create("order-1", sale)
        self._steps.step("sale", "a lamp from Cleo, fee 6.00", "60.00", made.balances)
        # As after a lost answer: the same key and content again changes nothing and gets the first answer.
        again = await self._create("order-1", sale)
        if not again.replayed:
            raise CommandError("the same request with the same key was recorded twice")
        self._steps.step("replay", "the same request again", "60.00", again.balances)
        refund = [_debit(_CLEO, "18.00"), _debit(_FEES_RETURNED, "2.00"), _credit(_ANN, "20.00")]
        made = await self._create("refund-1", refund)
        self._steps.step("refund", "a scratch: 20.00, fee 2.00", "20.00", made.balances)

    async def _a_hold_and_its_capture(self) -> None:
        held = await self._create(
            "order-2",
            [_debit(_ANN, "100.00"), _credit(_CLEO, "100.00")],
            status=messages.TRANSACTION_STATUS_PENDING,
            expires=True,
        )
        self._steps.step("hold", "Ann reserves for a bike", "100.00", held.balances)
        await self._refused("order-3", [_debit(_ANN, "75.00"), _credit(_CLEO, "75.00")])
        self._steps.step("refused", "75.00 more: 60.00 is free", "75.00", await self._read([_ANN]))
        approved = await self._client.transactions.ApproveTransactions(
            messages.ApproveTransactionsRequest(
                entity_id=self._entity_id,
                idempotency_key="capture-2",
                approvals=[messages.Approval(transaction_id=held.transaction.id, amount=money("65.00", CURRENCY))],
            )
        )
        self._steps.step("capture", "65.00; the rest is free", "65.00", approved.balances)

    async def _a_hold_and_its_release(self) -> None:
        held = await self._create(
            "order-4",
            [_debit(_BEN, "50.00"), _credit(_CLEO, "50.00")],
            status=messages.TRANSACTION_STATUS_PENDING,
            expires=True,
        )
        self._steps.step("hold", "Ben reserves for a chair", "50.00", held.balances)
        voided = await self._client.transactions.VoidTransaction(
            messages.VoidTransactionRequest(
                entity_id=self._entity_id, transaction_id=held.transaction.id, idempotency_key="release-4"
            )
        )
        self._steps.step("release", "Ben changes his mind", "50.00", voided.balances)

    async def _a_fee_in_error(self) -> None:
        made = await self._create("fee-ben", [_debit(_BEN, "3.00"), _credit(_FEES, "3.00")])
        self._steps.step("fee", "Ben's account, in error", "3.00", made.balances)
        # What is posted never changes: a transaction of its own cancels the error, and both stay readable.
        reversed_ = await self._client.transactions.ReverseTransaction(
            messages.ReverseTransactionRequest(
                entity_id=self._entity_id,
                transaction_id=made.transaction.id,
                idempotency_key="reverse-fee-ben",
            )
        )
        self._steps.step("reversal", "of that fee", "3.00", reversed_.balances)

    async def _a_payout(self) -> None:
        asked = await self._create(
            "payout-cleo",
            [_debit(_CLEO, "90.00"), _credit(_BANK, "90.00")],
            status=messages.TRANSACTION_STATUS_PENDING,
        )
        self._steps.step("payout", "Cleo asks for 90.00", "90.00", asked.balances)
        await self._client.transactions.ClearTransaction(
            messages.ClearTransactionRequest(
                entity_id=self._entity_id, transaction_id=asked.transaction.id, idempotency_key="clear-payout"
            )
        )
        self._steps.step("cleared", "the bank confirms it", "90.00", await self._read([_CLEO]))
        paid = await self._client.transactions.ApproveTransactions(
            messages.ApproveTransactionsRequest(
                entity_id=self._entity_id,
                idempotency_key="post-payout",
                approvals=[messages.Approval(transaction_id=asked.transaction.id)],
            )
        )
        self._steps.step("posted", "the payout is final", "90.00", paid.balances)

    async def _create(
        self,
        key: str,
        postings: list[messages.Posting],
        *,
        status: messages.TransactionStatus.ValueType = messages.TRANSACTION_STATUS_POSTED,
        expires: bool = False,
    ) -> messages.CreateTransactionResponse:
        request = messages.CreateTransactionRequest(
            entity_id=self._entity_id, idempotency_key=key, reference=key, postings=postings, status=status
        )
        if expires:
            request.expire_time.CopyFrom(timestamp(datetime.now(UTC) + timedelta(days=_HOLD_DAYS)))
        return await self._client.transactions.CreateTransaction(request)

    async def _refused(self, key: str, postings: list[messages.Posting]) -> None:
        """Try what a floor forbids."""
        try:
            await self._create(key, postings)
        except LedgerError as error:
            if error.reason != "INSUFFICIENT_BALANCE":
                raise
        else:
            raise CommandError("the ledger let a wallet spend what it had reserved")

    async def _read(self, account_ids: list[str]) -> list[messages.Balance]:
        answer = await self._client.accounts.BatchGetBalances(
            messages.BatchGetBalancesRequest(entity_id=self._entity_id, account_ids=account_ids, currency=CURRENCY)
        )
        return [balance for account in answer.accounts for balance in account.balances]


async def read_books(client: LedgerClient, entity_id: str) -> Books:
    """The chart of accounts with all balances."""
    request = messages.ListAccountsRequest(entity_id=entity_id, page_size=_ACCOUNTS_PER_PAGE, tree=True)
    accounts = [
        (account, depth)
        async for page in paginate(client.accounts.ListAccounts, request)
        for account, depth in zip(page.accounts, page.depths, strict=True)
    ]
    entity = await client.entities.GetEntity(messages.GetEntityRequest(entity_id=entity_id))
    balances: list[dict[str, messages.Balance]] = []
    for include_subtree in (False, True):
        answer = await client.accounts.BatchGetBalances(
            messages.BatchGetBalancesRequest(
                entity_id=entity_id,
                account_ids=[account.id for account, _ in accounts],
                currency=CURRENCY,
                moment=messages.BalanceMoment(known_sequence=entity.entity.sequence),
                include_subtree=include_subtree,
            )
        )
        balances.append({b.account_id: b for account in answer.accounts for b in account.balances})
    return Books(accounts, *balances)
