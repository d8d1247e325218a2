"""How much a run must do: the gates, and the faults of each kind that are planned for them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from tests.helpers.cutting_proxy import Place, Refusal


@dataclass(frozen=True)
class Plan:
    """Of one round."""

    operations: int
    """Writes and reads that are checked against the model, at least."""
    service_kills: int
    backend_kills: int
    postmaster_kills: int
    cuts_each: int
    """At each place."""
    cancellations: int
    """Callers who cancel, or whose deadline passes, at random instants."""
    drains: int = 1
    immediate_stops: int = 1
    ended_backends: int = 2
    refusals_each: int = 1
    attacks_each: int = 1
    """Hostile clients of each kind."""
    full_disks: int = 1
    """And as often a process runs out of files."""
    clock_steps: int = 1
    """How often the clock of a process is set to all of tests.chaos.clock.STEPS."""
    server_clock_steps: int = 1
    """And PostgreSQL's, by which everything is recorded."""
    short_memories: int = 1
    """How often a process gets no more memory."""
    upgrades: int = 1
    """How often PostgreSQL's programs are replaced while it runs."""
    pauses: int = 1
    pause_seconds: float = 2.0
    """How long a service process is stopped by SIGSTOP inside a database transaction."""
    second_opinions: int = 0
    """Windows of each account with a floor that porcupine is asked about."""
    seconds: float = 240.0
    """A round that is not through by then has failed."""

    @property
    def kills(self) -> int:
        """Of all three kinds."""
        return self.service_kills + self.backend_kills + self.postmaster_kills

    @property
    def cuts(self) -> int:
        """Over all places."""
        return self.cuts_each * len(Place)

    @property
    def refusals(self) -> int:
        """Of all kinds."""
        return self.refusals_each * len(Refusal)


SHORT = Plan(operations=20_000, service_kills=2, backend_kills=4, postmaster_kills=4, cuts_each=10, cancellations=1_000)
"""Within `make test`: about a minute on two cores."""
SMALL = Plan(
    operations=6_000, service_kills=1, backend_kills=1, postmaster_kills=2, cuts_each=6, cancellations=400,
    drains=0, immediate_stops=1, ended_backends=1, attacks_each=0, full_disks=0, clock_steps=0, server_clock_steps=0,
    short_memories=0, upgrades=0, pauses=0, seconds=150.0,
)  # fmt: skip
"""Enough to notice what tests.chaos.mutants has broken."""
ROUND = Plan(
    operations=50_000, service_kills=6, backend_kills=5, postmaster_kills=4, cuts_each=20, cancellations=2_500,
    drains=1, immediate_stops=1, ended_backends=2, refusals_each=3, attacks_each=1, full_disks=1, pauses=1,
    pause_seconds=30.0, second_opinions=10, seconds=900.0,
)  # fmt: skip
"""One of the rounds of `make chaos`."""
ROUNDS = 20
"""That many reach its gates, in about half an hour on two cores of their own."""


def share_of(plan: Plan, share: float) -> Plan:
    """What a run wants that is shorter or longer than planned."""
    counts = {each.name: getattr(plan, each.name) for each in fields(plan) if isinstance(getattr(plan, each.name), int)}
    return replace(plan, **{name: int(count * share) for name, count in counts.items()})


WHOLE = share_of(ROUND, ROUNDS)
"""The gates of `make chaos`."""
