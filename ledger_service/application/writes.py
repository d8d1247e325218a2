"""The writing use cases: authorise, find the entity, hand the commands to the committer, word the answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from ledger_service.application.access import Principal, Scope, authorize, require
from ledger_service.application.answers import Answer, Answers
from ledger_service.application.committer import Committer
from ledger_service.application.directory import Directory
from ledger_service.application.intake import fields
from ledger_service.application.ports import EntityWriter, NewEntity, ReadStore
from ledger_service.application.queue import Submission
from ledger_service.domain.account import Entity
from ledger_service.domain.commands import Command, CreateTransaction, Unit
from ledger_service.domain.decide import Applied, Outcome
from ledger_service.domain.errors import LedgerError, Reason
from ledger_service.domain.fingerprint import fingerprint
from ledger_service.domain.identifiers import check_chosen_id, random_id
from ledger_service.domain.transaction import Status

_POSTINGS_OF_A_CHANGE = 4
"""How many entries a change of a recorded transaction is reckoned to write, for the size of a commit."""


class Writes:
    """What callers may write."""

    def __init__(
        self,
        committer: Committer,
        directory: Directory,
        reads: ReadStore,
        entity_writer: EntityWriter,
        answers: Answers,
        make_uuid: Callable[[], int],
    ) -> None:
        self._committer = committer
        self._directory = directory
        self._reads = reads
        self._entity_writer = entity_writer
        self._answers = answers
        self._make_uuid = make_uuid

    def fresh_account_id(self) -> str:
        """An id for an account whose caller has chosen none."""
        return random_id("acc_", self._make_uuid())

    def fresh_category_id(self) -> str:
        """An id for a category whose caller has chosen none."""
        return random_id("cat_", self._make_uuid())

    async def entity_for(self, principal: Principal, method: str, entity_id: str) -> Entity:
        """The entity that a call is about, if the caller may make it. Raises LedgerError."""
        authorize(principal, method, entity_id)
        return self._directory.known(entity_id) or await self._directory.find(entity_id)

    async def one(self, principal: Principal, method: str, entity_id: str, command: Command) -> tuple[Entity, Applied]:
        """Write one command. Raises LedgerError: the refusal, or why it could not be written."""
        entity = await self.entity_for(principal, method, entity_id)
        self.check_direct_posting(principal, command)
        outcomes = await self._committer.submit(Unit(entity.entity_no, [command], postings=_postings(command)))
        [answer] = await self._answers.complete(entity, outcomes)
        if not isinstance(answer, Applied):
            raise answer.error
        return entity, answer

    def check_direct_posting(self, principal: Principal, command: Command) -> None:
        """Who creates a transaction as POSTED skips the approval, and so must be allowed to give it."""
        if type(command) is CreateTransaction and command.status is Status.POSTED:
            require(principal, Scope.APPROVE)

    async def complete(self, entity: Entity, outcomes: list[Outcome]) -> list[Answer]:
        """What the callers of these outcomes are told."""
        return await self._answers.complete(entity, outcomes)

    async def all_or_none(self, entity: Entity, commands: Sequence[Command]) -> list[Answer]:
        """Write commands of one entity in order, all or none; if one is refused all answers are refusals.

        Raises LedgerError when they could not be written (QUEUE_FULL, OUTCOME_UNKNOWN …).
        """
        unit = Unit(entity.entity_no, list(commands), atomic=True, postings=sum(map(_postings, commands)))
        return await self.complete(entity, await self._committer.submit(unit))

    def enqueue(self, entity: Entity, commands: Sequence[CreateTransaction]) -> Submission:
        """Queue commands that stand each on its own, without waiting for them (see committer.outcomes_of).

        Raises LedgerError QUEUE_FULL, DRAINING: nothing was queued.
        """
        return self._committer.enqueue(Unit(entity.entity_no, list(commands), postings=sum(map(_postings, commands))))

    async def create_entity(
        self, principal: Principal, *, entity_id: str, name: str, time_zone: str, metadata_object: object
    ) -> tuple[Entity, bool]:
        """Create an entity, or answer with the one that the same request created; True: it existed.

        Raises LedgerError PERMISSION_DENIED, INVALID_ARGUMENT, ENTITY_ALREADY_EXISTS.
        """
        chosen = check_chosen_id(entity_id, "entity_id") if entity_id else None
        require(principal, Scope.ADMIN, chosen)
        checked_name = str(fields.line(name, "name", fields.MAX_NAME, required=True))
        zone = fields.check_time_zone(time_zone)
        metadata = fields.metadata(metadata_object)
        digest = fingerprint("CreateEntity", (("name", checked_name), ("time_zone", zone), ("metadata", metadata)))
        new = NewEntity(
            entity_id=chosen or random_id("entity_", self._make_uuid()),
            id_key=secrets.token_bytes(16),
            name=checked_name,
            time_zone=zone,
            metadata=metadata,
            actor=principal.name,
            fingerprint=digest,
        )
        created = await self._entity_writer.create(new)
        entity = await self._directory.fresh(new.entity_id)
        if created:
            return entity, False
        [event] = await self._reads.events_at(entity.entity_no, [1])
        if event.fingerprint != digest:
            raise LedgerError(
                Reason.ENTITY_ALREADY_EXISTS,
                f"entity {new.entity_id} exists already and is different; choose another id",
                {"entity_id": new.entity_id},
            )
        return entity, True


def _postings(command: Command) -> int:
    return len(command.postings) if type(command) is CreateTransaction else _POSTINGS_OF_A_CHANGE
