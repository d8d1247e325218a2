"""Answers in English, made of the plan's words and the rows' numbers and names, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from ledger_service.application.asking import phrases
from ledger_service.application.asking.days import unit
from ledger_service.application.asking.grammar import Refusal
from ledger_service.application.asking.plan import (
    COUNTED,
    Comparator,
    Direction,
    Grouping,
    Measure,
    Order,
    Outcome,
    Plan,
    Statuses,
)
from ledger_service.application.asking.ports import Group, Line, Rows, Summary
from ledger_service.application.asking.running import average, units_of
from ledger_service.application.asking.vocabulary import Kind, Name
from ledger_service.domain.account import AccountType
from ledger_service.domain.transaction import Status

GROUPS_TOLD = 6
"""Groups named in the sentence; the answer's data has all of them."""
LINES_TOLD = 3
"""Transactions named in the sentence."""
_WORDS_TOLD = 8

_ITEMS = {Direction.SPENT: "purchase", Direction.RECEIVED: "payment received", Direction.ANY: "transaction"}
_PLURALS = {Direction.SPENT: "purchases", Direction.RECEIVED: "payments received", Direction.ANY: "transactions"}
_FIRST = {
    Order.NEWEST_FIRST: "newest",
    Order.OLDEST_FIRST: "oldest",
    Order.LARGEST_FIRST: "largest",
    Order.SMALLEST_FIRST: "smallest",
}
_COMPARATORS = {
    Comparator.MORE_THAN: "over",
    Comparator.AT_LEAST: "of at least",
    Comparator.LESS_THAN: "under",
    Comparator.AT_MOST: "of at most",
    Comparator.EXACTLY: "of exactly",
}


@dataclass(frozen=True)
class Teller:
    """Words one answer. `names` are those that the plan speaks of, by kind and id."""

    plan: Plan
    names: Mapping[tuple[Kind, str], Name]
    exponents: Mapping[str, int]
    zone: ZoneInfo

    def answer(self, rows: Rows) -> str:
        """The whole answer: one to three sentences."""
        if self.plan.comparison is not None:
            told = self._target(rows) if self.plan.comparison.amount else self._compared(rows)
        elif not rows.summaries:
            told = self._nothing()
        elif self.plan.grouping is not Grouping.NONE:
            told = self._grouped(rows)
        else:
            told = self._measures()[self.plan.measure](rows)
        return phrases.capitalised(told)

    def _measures(self) -> Mapping[Measure, Callable[[Rows], str]]:
        return {
            Measure.SUM: self._sum,
            Measure.COUNT: self._count,
            Measure.AVERAGE: self._average,
            Measure.LARGEST: self._extreme,
            Measure.SMALLEST: self._extreme,
            Measure.LIST: self._list,
        }

    # What the plan says, in words.

    def _when(self) -> str:
        """As in "in May 2023, " or nothing."""
        said = phrases.period(self.plan.period)
        return f"{said}, " if said else ""

    def _at_the_end(self) -> str:
        said = phrases.period(self.plan.period)
        return f" {said}" if said else ""

    def _where(self) -> str:
        """As in " on Travel at Delta Air Lines over $500.00": the filters."""
        filters, direction = self.plan.filters, self.plan.direction
        told = ""
        if filters.categories:
            names = [self.names[Kind.CATEGORY, id_].name for id_ in filters.categories]
            told += f" {'in the category' if direction is Direction.ANY else 'on'} {phrases.joined(names, 'or')}"
        if filters.uncategorized:
            told += " without a category"
        own = {Direction.SPENT: AccountType.EXPENSE, Direction.RECEIVED: AccountType.REVENUE}.get(direction)
        for is_own in (True, False):
            accounts = [self.names[Kind.ACCOUNT, id_] for id_ in filters.accounts]
            of_kind = [name.name for name in accounts if (name.account_type == own) is is_own]
            if of_kind:
                told += f" {'on' if is_own else 'through'} {phrases.joined(of_kind, 'or')}"
        if filters.counterparties:
            names = [_bare(self.names[Kind.COUNTERPARTY, key].name) for key in filters.counterparties]
            preposition = {Direction.SPENT: "at", Direction.RECEIVED: "from", Direction.ANY: "with"}[direction]
            told += f" {preposition} {phrases.joined(names, 'or')}"
        if filters.texts:
            quoted = [f'"{text}"' for text in filters.texts]
            told += f" with {phrases.joined(quoted)} in the description"
        return told + self._amounts()

    def _amounts(self) -> str:
        rule, currency = self.plan.filters.amount, self.plan.filters.currency
        if rule is None:
            return ""
        amount = phrases.decimal_amount(rule.amount, currency, self.exponents)
        if rule.comparator is Comparator.BETWEEN:
            return f" between {amount} and {phrases.decimal_amount(rule.upper, currency, self.exponents)}"
        return f" {_COMPARATORS[rule.comparator]} {amount}"

    def _status(self) -> str:
        """As in "pending " or nothing."""
        statuses = self.plan.filters.statuses
        if statuses in {COUNTED, tuple(Statuses)}:
            return ""
        return phrases.joined([status.value for status in statuses], "or") + " "

    def _money(self, units: int, currency: str) -> str:
        return phrases.amount(units, currency, self.exponents)

    def _items(self, count: int) -> str:
        """As in "8 transactions", "1 pending transaction"."""
        return phrases.counted(count, f"{self._status()}transaction")

    def _did(self) -> str:
        return {Direction.SPENT: "you spent", Direction.RECEIVED: "you received", Direction.ANY: "there was"}[
            self.plan.direction
        ]

    # The answers.

    def _nothing(self) -> str:
        """Nothing found is said plainly."""
        kind = {Direction.SPENT: "spending", Direction.RECEIVED: "income", Direction.ANY: ""}[self.plan.direction]
        noun = f"{self._status()}{kind + ' ' if kind else ''}transactions"
        currency = f" in {self.plan.filters.currency}" if self.plan.filters.currency else ""
        return f"{self._when()}there were no {noun}{self._where()}{currency}."

    def _totals(self, summaries: tuple[Summary, ...]) -> str:
        """As in "a total of $3,245.75 … across 8 transactions, and €20.00 across 1 transaction"."""
        told = []
        for place, summary in enumerate(summaries):
            amount = self._money(summary.total, summary.currency)
            where = self._where() if place == 0 else ""
            told.append(f"{amount}{where} across {self._items(summary.transactions)}{self._reductions(summary)}")
        return "a total of " + phrases.joined(told)

    def _reductions(self, summary: Summary) -> str:
        if summary.reductions == 1:
            return " (1 of which was a reversal or refund)"
        return f" ({summary.reductions:,} of which were reversals or refunds)" if summary.reductions else ""

    def _sum(self, rows: Rows) -> str:
        return f"{self._when()}{self._did()} {self._totals(rows.summaries)}.{self._largest_of(rows)}"

    def _largest_of(self, rows: Rows) -> str:
        """As in " The largest purchase was $750.00 at Office Depot on May 10th." where there is more than one."""
        several = [summary for summary in rows.summaries if summary.transactions - summary.reductions > 1]
        if len(rows.summaries) != 1 or not several:
            return ""
        largest = next((line for line in rows.lines if line.amount == several[0].largest), None)
        return f" The largest {_ITEMS[self.plan.direction]} was {self._line(largest)}." if largest else ""

    def _line(self, line: Line) -> str:
        """As in "$750.00 at Office Depot on May 10th"."""
        told = self._money(line.amount, line.currency)
        if line.counterparty:
            preposition = {Direction.SPENT: "at", Direction.RECEIVED: "from", Direction.ANY: "with"}
            told += f" {preposition[self.plan.direction]} {_bare(line.counterparty)}"
        elif line.description:
            words = " ".join(line.description.split()[:_WORDS_TOLD])
            told += f' for "{words}"'
        return f"{told} on {self._day(line)}"

    def _day(self, line: Line) -> str:
        local = line.effective_time.astimezone(self.zone).date()
        period = self.plan.period
        one_year = (
            period is not None
            and period.first is not None
            and period.before is not None
            and unit("year", period.first).before >= period.before
        )
        return phrases.day(local, with_year=not one_year)

    def _noun(self) -> str:
        """As in "pending spending transaction"."""
        kind = {Direction.SPENT: "spending ", Direction.RECEIVED: "income ", Direction.ANY: ""}[self.plan.direction]
        return f"{self._status()}{kind}transaction"

    def _count(self, rows: Rows) -> str:
        was = "was" if rows.matched == 1 else "were"
        head = f"{self._when()}there {was} {phrases.counted(rows.matched, self._noun())}{self._where()}"
        if len(rows.summaries) == 1:
            [only] = rows.summaries
            return f"{head}{self._reductions(only)}, {self._money(only.total, only.currency)} in total."
        told = [
            f"{summary.transactions:,} with {self._money(summary.total, summary.currency)} in total"
            f"{self._reductions(summary)}"
            for summary in rows.summaries
        ]
        return f"{head}: {phrases.joined(told)}."

    def _average(self, rows: Rows) -> str:
        told = []
        for summary in rows.summaries:
            mean = self._money(average(summary.total, summary.transactions), summary.currency)
            total = self._money(summary.total, summary.currency)
            told.append(f"{mean} ({self._items(summary.transactions)}, {total} in total)")
        return f"{self._when()}the average {_ITEMS[self.plan.direction]}{self._where()} was {phrases.joined(told)}."

    def _extreme(self, rows: Rows) -> str:
        """The largest or smallest, in each currency."""
        if not rows.lines:
            return self._nothing()
        word = "largest" if self.plan.measure is Measure.LARGEST else "smallest"
        what = f"{self._where()}{self._at_the_end()}"
        if len(rows.lines) == 1:
            return f"the {word} {self._status()}{_ITEMS[self.plan.direction]}{what} was {self._line(rows.lines[0])}."
        each = " in each currency" if len(rows.summaries) > 1 else ""
        noun = f"{self._status()}{_PLURALS[self.plan.direction]}"
        told = [self._line(line) for line in rows.lines[:LINES_TOLD]]
        more = f"; {len(rows.lines) - len(told):,} more are listed" if len(rows.lines) > len(told) else ""
        return f"the {word} {noun}{what}{each} were {phrases.joined(told)}{more}."

    def _list(self, rows: Rows) -> str:
        was = "was" if rows.matched == 1 else "were"
        totals = phrases.joined([self._money(summary.total, summary.currency) for summary in rows.summaries])
        noun = phrases.counted(rows.matched, self._noun())
        told = f"{self._when()}there {was} {noun}{self._where()}, {totals} in total."
        if rows.matched > len(rows.lines):
            word = _FIRST[self.plan.order]
            shown = f"The {word} is" if len(rows.lines) == 1 else f"The {len(rows.lines):,} {word} are"
            told += f" {shown} listed."
        return told

    def _grouped(self, rows: Rows) -> str:
        if self.plan.limit == 1:
            return self._tops(rows)
        told = [f"{self._group(group)} {self._measured(group.summary)}" for group in rows.groups[:GROUPS_TOLD]]
        left = rows.all_groups - len(told)
        more = f"; there are {left:,} more" if left > 0 else ""
        what = {
            Direction.SPENT: "your spending",
            Direction.RECEIVED: "what you received",
            Direction.ANY: "the total of transactions",
        }[self.plan.direction]
        what = {
            Measure.COUNT: f"the number of {self._noun()}s",
            Measure.AVERAGE: f"the average {_ITEMS[self.plan.direction]}",
            Measure.LARGEST: f"the largest {_ITEMS[self.plan.direction]}",
            Measure.SMALLEST: f"the smallest {_ITEMS[self.plan.direction]}",
        }.get(self.plan.measure, what)
        return f"{self._when()}{what}{self._where()} by {self.plan.grouping.value} was: {'; '.join(told)}{more}."

    def _tops(self, rows: Rows) -> str:
        """The first group of each currency, in words of their own."""
        most = "most" if self.plan.order is Order.LARGEST_FIRST else "least"
        told = [f"{self._preposition()}{self._group(group)}: {self._measured(group.summary)}" for group in rows.groups]
        if self._preposition():
            return f"{self._when()}{self._did()} the {most}{self._where()} {'; '.join(told)}."
        measure = {Measure.SUM: "total", Measure.COUNT: "number of transactions", Measure.AVERAGE: "average"}
        what = measure.get(self.plan.measure, "amount")
        rank = {"most": "highest", "least": "lowest"}[most]
        return (
            f"{self._when()}the {self.plan.grouping.value} with the {rank} {what}{self._where()} was {'; '.join(told)}."
        )

    def _preposition(self) -> str:
        if self.plan.measure is not Measure.SUM or self.plan.direction is Direction.ANY:
            return ""
        shop = "at " if self.plan.direction is Direction.SPENT else "from "
        on = (Grouping.CATEGORY, Grouping.ACCOUNT, Grouping.DAY)
        return {Grouping.COUNTERPARTY: shop, Grouping.STATUS: "as ", **dict.fromkeys(on, "on ")}.get(
            self.plan.grouping, "in "
        )

    def _group(self, group: Group) -> str:
        grouping = self.plan.grouping
        if grouping.is_time:
            return phrases.span(unit(grouping.value, date.fromisoformat(group.key)))
        if grouping is Grouping.STATUS:
            return Status(int(group.key)).name.lower()
        return (
            _bare(group.name) or {Grouping.CATEGORY: "no category", Grouping.COUNTERPARTY: "no counterparty"}[grouping]
        )

    def _measured(self, summary: Summary) -> str:
        count = phrases.counted(summary.transactions, "transaction")
        match self.plan.measure:
            case Measure.COUNT:
                return f"{count} ({self._money(summary.total, summary.currency)})"
            case Measure.AVERAGE:
                mean = average(summary.total, summary.transactions)
                return f"{self._money(mean, summary.currency)} over {count}"
            case Measure.LARGEST | Measure.SMALLEST:
                units = summary.largest if self.plan.measure is Measure.LARGEST else summary.smallest
                return self._money(units, summary.currency) if units is not None else "nothing above zero"
            case _:
                return f"{self._money(summary.total, summary.currency)} ({count})"

    # Comparisons.

    def _compared(self, rows: Rows) -> str:
        """Now, then, and the difference; each currency by itself."""
        comparison = self.plan.comparison
        assert comparison is not None
        then = phrases.period(comparison.period)
        now = phrases.period(self.plan.period) or "in all"
        before = {summary.currency: summary for summary in rows.others}
        present = {summary.currency: summary for summary in rows.summaries}
        if not present and not before:
            return f"there were no {self._noun()}s{self._where()}, neither {now} nor {then}."
        if self.plan.measure is Measure.COUNT:
            shown = f"there {'was' if rows.matched == 1 else 'were'} {phrases.counted(rows.matched, self._noun())}"
            return self._difference(shown, rows.matched, rows.others_matched, "", now, then)
        told = []
        for code in [*present, *(currency for currency in before if currency not in present)]:
            one, two = self._value(present.get(code)), self._value(before.get(code))
            amount = self._money(one, code)
            average_of = f"the average {_ITEMS[self.plan.direction]} was {amount}"
            shown = average_of if self.plan.measure is Measure.AVERAGE else f"{self._did()} {amount}"
            told.append(phrases.capitalised(self._difference(shown, one, two, code, now, then)))
        return " ".join(told)

    def _difference(self, shown: str, one: int, two: int, currency: str, now: str, then: str) -> str:
        def told(value: int) -> str:
            return self._money(value, currency) if currency else f"{value:,}"

        if one == two:
            return f"{shown}{self._where()} {now}, the same as {then}."
        word = "more" if one > two else "less" if currency else "fewer"
        percent = phrases.share(one - two, two)
        by = f"{told(abs(one - two))}{f' ({percent})' if percent else ''} {word}"
        return f"{shown}{self._where()} {now}, {by} than {then} ({told(two)})."

    def _value(self, summary: Summary | None) -> int:
        if summary is None:
            return 0
        return average(summary.total, summary.transactions) if self.plan.measure is Measure.AVERAGE else summary.total

    def _target(self, rows: Rows) -> str:
        """As in "Yes: you spent $623.10 on Travel in May 2023, which is more than $500.00."."""
        comparison, currency = self.plan.comparison, self.plan.filters.currency
        assert comparison is not None
        if not rows.summaries:
            return self._nothing()
        goal = phrases.decimal_amount(comparison.amount, currency, self.exponents)
        word = "more" if comparison.outcome is Outcome.MORE else "less"
        told = []
        for summary in rows.summaries:
            limit = units_of(comparison.amount, self.exponents[summary.currency])
            holds = summary.total > limit if comparison.outcome is Outcome.MORE else summary.total < limit
            amount = self._money(summary.total, summary.currency)
            told.append(
                f"{'Yes' if holds else 'No'}: {self._did()} {amount}{self._where()}{self._at_the_end()}, "
                f"which is {'' if holds else 'not '}{word} than {goal}."
            )
        return " ".join(told)


def _bare(name: str) -> str:
    """A name in one line, without doubled blanks."""
    return " ".join(name.split())


def refused(refusal: Refusal, examples: tuple[str, ...]) -> str:
    """What was not understood, and what can be asked instead."""
    if refusal.unclear is not None:
        kinds = [f"the {name.kind.value} {name.name}" for name in refusal.unclear.candidates[:GROUPS_TOLD]]
        told = f'"{refusal.unclear.said}" can mean {phrases.joined(kinds, "or")}; which one do you mean?'
    elif refusal.words:
        words = [f'"{word}"' for word in refusal.words[:GROUPS_TOLD]]
        told = f"I did not understand {phrases.joined(words)} in your question."
    else:
        told = f"I did not understand your question: {refusal.reason}."
    return f"{told} I can answer questions like these: {' '.join(examples)}"
