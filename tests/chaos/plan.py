"""How much a run must do: the gates, and the faults of each kind that are planned for them."""

from __future__ import annotations

from dataclasses import dataclass

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
    pauses: int = 1
    pause_seconds: float = 2.0
    """How long a service process is stopped by SIGSTOP inside a database transaction."""
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


SHORT = Plan(operations=20_000, service_kills=4, backend_kills=3, postmaster_kills=3, cuts_each=10, cancellations=1_000)
"""Within `make test`: about a minute on two cores."""
ROUND = Plan(
    operations=40_000, service_kills=5, backend_kills=4, postmaster_kills=3, cuts_each=20, cancellations=2_000,
    drains=1, pauses=1, pause_seconds=5.0, refusals_each=2, seconds=400.0,
)  # fmt: skip
"""One of the rounds of `make chaos`; 25 of them reach the gates."""
