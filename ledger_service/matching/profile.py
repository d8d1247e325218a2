"""The rules for an account that nobody has written rules for."""

from __future__ import annotations

from ledger_service.matching.model import Profile, Rule, RuleKind


def default_profile() -> Profile:
    """Rules for a bank account, in this order. No charges and no account for differences: those the user knows.

    What several facts speak for comes first, and narrow windows come before wide ones: what recurs every month with the
    same reference and amount would otherwise be shifted by a month wherever one is missing. Cancelled transactions go
    after pairs (the bank may have booked both, the payment and its return) and before groups, where they would be
    noise. Small differences in an amount go before groups, since an amount that is off by a cent on the same day is
    likelier than a sum that meets by chance. Wide windows without any name come last: they live on there being
    little left. Only rules with two facts beside the amount confirm by themselves.
    """
    return Profile(
        rules=(
            Rule(RuleKind.REFERENCE, days=5, auto_confirm=True),
            Rule(RuleKind.AMOUNT_AND_COUNTERPARTY, days=5, auto_confirm=True),
            Rule(RuleKind.AMOUNT_AND_DATE, days=3, similarity=75),
            Rule(RuleKind.CANCELLED, days=30),
            Rule(RuleKind.REFERENCE, days=20),
            Rule(RuleKind.REFERENCE, days=5, tolerance=5, tolerance_ppm=10_000),
            Rule(RuleKind.AMOUNT_AND_COUNTERPARTY, days=5, tolerance=5),
            Rule(RuleKind.AMOUNT_AND_DATE, days=3, tolerance=2),
            Rule(RuleKind.ONE_LINE_TO_MANY, days=3),
            Rule(RuleKind.MANY_LINES_TO_ONE, days=3),
            Rule(RuleKind.MANY_TO_MANY, days=3),
            Rule(RuleKind.AMOUNT_AND_COUNTERPARTY, days=20),
            Rule(RuleKind.AMOUNT_AND_DATE, days=10),
        )
    )


def usual_days(profile: Profile) -> int:
    """By how many days both sides usually differ: what the narrowest AMOUNT_AND_DATE without a tolerance allows.

    Further apart is a DATE_DIFFERS; so near to a statement's end the bank may still book. Without such a rule, the
    narrowest window of any rule of pairs.
    """
    pairs = (RuleKind.AMOUNT_AND_DATE, RuleKind.AMOUNT_AND_COUNTERPARTY, RuleKind.REFERENCE)
    exact = [rule for rule in profile.rules if not (rule.tolerance or rule.tolerance_ppm)]
    own = [rule.days for rule in exact if rule.kind is RuleKind.AMOUNT_AND_DATE]
    other = [rule.days for rule in profile.rules if rule.kind in pairs]
    return min(own or other or [Rule(RuleKind.AMOUNT_AND_DATE).days])
