"""AccountService: convert, call one use case, convert."""

from __future__ import annotations

from ledger.v1 import account_service_pb2 as pb
from ledger.v1 import account_service_pb2_grpc
from ledger_service.application.access import Principal
from ledger_service.application.batches import failure_of
from ledger_service.application.failures import item_of
from ledger_service.application.intake import chart, fields
from ledger_service.application.reads import AccountBalances
from ledger_service.application.use_cases import UseCases
from ledger_service.domain import commands as c
from ledger_service.domain.account import Account, AccountState
from ledger_service.domain.commands import Command
from ledger_service.domain.decide import Applied
from ledger_service.domain.errors import LedgerError, invalid
from ledger_service.rpc import incoming
from ledger_service.rpc.calls import unary
from ledger_service.rpc.outgoing import Outgoing

MAX_ACCOUNTS = 1000


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """See protos/ledger/v1/account_service.proto."""

    def __init__(self, use_cases: UseCases) -> None:
        self.admission = use_cases.admission
        self._writes = use_cases.writes
        self._reads = use_cases.reads
        self._currencies = use_cases.currencies
        self._out = Outgoing(use_cases.currencies)

    @unary
    async def CreateAccount(self, principal: Principal, request: pb.CreateAccountRequest) -> pb.CreateAccountResponse:
        entity_id = fields.entity_id(request.entity_id)
        account, replayed = await self._write(
            principal, "CreateAccount", entity_id, self._new_account(principal, request)
        )
        return pb.CreateAccountResponse(account=self._out.account(entity_id, account), replayed=replayed)

    @unary
    async def BatchCreateAccounts(
        self, principal: Principal, request: pb.BatchCreateAccountsRequest
    ) -> pb.BatchCreateAccountsResponse:
        entity_id = fields.entity_id(request.entity_id)
        if not 1 <= len(request.requests) <= MAX_ACCOUNTS:
            raise invalid("requests", f"must have 1 to {MAX_ACCOUNTS} items, has {len(request.requests)}")
        self.admission.charge(principal, len(request.requests))
        commands = self._new_accounts(principal, request)
        entity = await self._writes.entity_for(principal, "BatchCreateAccounts", entity_id)
        answers = await self._writes.all_or_none(entity, commands)
        responses = []
        for answer in answers:
            if not isinstance(answer, Applied):
                raise failure_of(answers)
            assert answer.account is not None
            account = self._out.account(entity_id, answer.account)
            responses.append(pb.CreateAccountResponse(account=account, replayed=answer.replayed))
        return pb.BatchCreateAccountsResponse(responses=responses)

    @unary
    async def GetAccount(self, principal: Principal, request: pb.GetAccountRequest) -> pb.GetAccountResponse:
        entity_id = fields.entity_id(request.entity_id)
        account = await self._reads.account(principal, entity_id, request.account_id)
        return pb.GetAccountResponse(account=self._out.account(entity_id, account))

    @unary
    async def ListAccounts(self, principal: Principal, request: pb.ListAccountsRequest) -> pb.ListAccountsResponse:
        entity_id = fields.entity_id(request.entity_id)
        accounts, depths, token = await self._reads.accounts(
            principal,
            entity_id,
            size=request.page_size,
            token=request.page_token,
            parent_id=request.parent_id,
            type_=request.type,
            code_prefix=request.code_prefix,
            state=request.state,
            tree=request.tree,
        )
        messages = [self._out.account(entity_id, account) for account in accounts]
        return pb.ListAccountsResponse(accounts=messages, depths=depths, next_page_token=token)

    @unary
    async def UpdateAccount(self, principal: Principal, request: pb.UpdateAccountRequest) -> pb.UpdateAccountResponse:
        entity_id = fields.entity_id(request.entity_id)
        command = chart.update_account(
            self._currencies,
            principal.name,
            idempotency_key=request.idempotency_key,
            account_id=request.account_id,
            fields=request.update_mask.paths,
            name=request.name,
            code=request.code,
            parent_id=request.parent_id,
            currency_codes=request.currencies,
            limits=incoming.limits(request.limits),
            metadata_object=incoming.metadata(request),
            financial_type=request.financial_type,
            sub_type_code=request.sub_type_code,
            is_category=request.is_category,
            bank_account=incoming.bank_account(request),
            expected_revision=request.expected_revision,
        )
        account, replayed = await self._write(principal, "UpdateAccount", entity_id, command)
        return pb.UpdateAccountResponse(account=self._out.account(entity_id, account), replayed=replayed)

    @unary
    async def FreezeAccount(self, principal: Principal, request: pb.FreezeAccountRequest) -> pb.FreezeAccountResponse:
        account, replayed = await self._set_state(principal, "FreezeAccount", request, AccountState.FROZEN)
        return pb.FreezeAccountResponse(account=self._out.account(request.entity_id, account), replayed=replayed)

    @unary
    async def UnfreezeAccount(
        self, principal: Principal, request: pb.UnfreezeAccountRequest
    ) -> pb.UnfreezeAccountResponse:
        account, replayed = await self._set_state(principal, "UnfreezeAccount", request, AccountState.OPEN)
        return pb.UnfreezeAccountResponse(account=self._out.account(request.entity_id, account), replayed=replayed)

    @unary
    async def CloseAccount(self, principal: Principal, request: pb.CloseAccountRequest) -> pb.CloseAccountResponse:
        account, replayed = await self._set_state(principal, "CloseAccount", request, AccountState.CLOSED)
        return pb.CloseAccountResponse(account=self._out.account(request.entity_id, account), replayed=replayed)

    @unary
    async def GetBalance(self, principal: Principal, request: pb.GetBalanceRequest) -> pb.GetBalanceResponse:
        [found] = await self._reads.balances(
            principal,
            "GetBalance",
            fields.entity_id(request.entity_id),
            [request.account_id],
            currency=request.currency,
            moment=incoming.balance_moment(request),
            subtree=request.include_subtree,
        )
        return pb.GetBalanceResponse(balances=self._out.balances(found.balances))

    @unary
    async def BatchGetBalances(
        self, principal: Principal, request: pb.BatchGetBalancesRequest
    ) -> pb.BatchGetBalancesResponse:
        self.admission.charge(principal, len(request.account_ids))
        found = await self._reads.balances(
            principal,
            "BatchGetBalances",
            fields.entity_id(request.entity_id),
            request.account_ids,
            currency=request.currency,
            moment=incoming.balance_moment(request),
            subtree=request.include_subtree,
        )
        return pb.BatchGetBalancesResponse(accounts=[self._account_balances(one) for one in found])

    @unary
    async def ListEntries(self, principal: Principal, request: pb.ListEntriesRequest) -> pb.ListEntriesResponse:
        entity, account, entries, token = await self._reads.entries(
            principal,
            fields.entity_id(request.entity_id),
            request.account_id,
            currency=request.currency,
            size=request.page_size,
            token=request.page_token,
            ascending=request.ascending,
        )
        messages = [self._out.entry(entity, account, one) for one in entries]
        return pb.ListEntriesResponse(entries=messages, next_page_token=token)

    def _account_balances(self, found: AccountBalances) -> pb.AccountBalances:
        return pb.AccountBalances(account_id=found.account.account_id, balances=self._out.balances(found.balances))

    def _new_accounts(self, principal: Principal, request: pb.BatchCreateAccountsRequest) -> list[Command]:
        commands: list[Command] = []
        for index, item in enumerate(request.requests):
            try:
                if item.entity_id not in ("", request.entity_id):
                    raise invalid("entity_id", "must be empty or that of the batch")
                commands.append(self._new_account(principal, item))
            except LedgerError as error:
                raise item_of(error, f"requests[{index}]") from error
        return commands

    def _new_account(self, principal: Principal, request: pb.CreateAccountRequest) -> c.CreateAccount:
        return chart.create_account(
            self._currencies,
            principal.name,
            idempotency_key=request.idempotency_key,
            account_id=request.account_id,
            fresh_id=self._writes.fresh_account_id(),
            type_=request.type,
            code=request.code,
            name=request.name,
            parent_id=request.parent_id,
            contra=request.contra,
            currency_codes=request.currencies,
            limits=incoming.limits(request.limits),
            metadata_object=incoming.metadata(request),
            financial_type=request.financial_type,
            sub_type_code=request.sub_type_code,
            is_category=request.is_category,
            bank_account=incoming.bank_account(request),
        )

    async def _set_state(
        self,
        principal: Principal,
        method: str,
        request: pb.FreezeAccountRequest | pb.UnfreezeAccountRequest | pb.CloseAccountRequest,
        state: AccountState,
    ) -> tuple[Account, bool]:
        entity_id = fields.entity_id(request.entity_id)
        command = chart.set_account_state(
            principal.name,
            idempotency_key=request.idempotency_key,
            account_id=request.account_id,
            state=state,
        )
        return await self._write(principal, method, entity_id, command)

    async def _write(self, principal: Principal, method: str, entity_id: str, command: Command) -> tuple[Account, bool]:
        _, answer = await self._writes.one(principal, method, entity_id, command)
        assert answer.account is not None
        return answer.account, answer.replayed
