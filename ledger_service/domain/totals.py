"""The four numbers that say all about an account in a currency, and the balances that follow."""

from __future__ import annotations

from typing import NamedTuple

from ledger_service.domain.account import Side


class Totals(NamedTuple):
    """Sums in minor units since the first entry; none is ever negative."""

    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int

    def posted(self, normal: Side) -> int:
        """What is final, on the normal side; negative when overdrawn."""
        difference = self.debits_posted - self.credits_posted
        return difference if normal is Side.DEBIT else -difference

    def pending(self, normal: Side) -> int:
        """What it would be if every pending transaction were approved."""
        difference = self.debits_posted + self.debits_pending - self.credits_posted - self.credits_pending
        return difference if normal is Side.DEBIT else -difference

    def available(self, normal: Side) -> int:
        """Posted less what pending transactions could still take out: the floor is held against this."""
        if normal is Side.DEBIT:
            return self.debits_posted - self.credits_posted - self.credits_pending
        return self.credits_posted - self.debits_posted - self.debits_pending

    def reachable(self, normal: Side) -> int:
        """Posted plus what pending transactions could still bring: the ceiling is held against this.

        The available balance can't exceed it in whatever order pending transactions end, so that no void
        or expiry, which nobody can refuse, ever breaks a ceiling.
        """
        if normal is Side.DEBIT:
            return self.debits_posted - self.credits_posted + self.debits_pending
        return self.credits_posted - self.debits_posted + self.credits_pending

    def minus(self, other: Totals) -> Totals:
        """Each number less the other's: for what counts no more."""
        return Totals(*(mine - yours for mine, yours in zip(self, other, strict=True)))

    def plus(self, other: Totals) -> Totals:
        """Each number and the other's: for roll-ups."""
        return Totals(*(mine + yours for mine, yours in zip(self, other, strict=True)))


ZERO = Totals(0, 0, 0, 0)
