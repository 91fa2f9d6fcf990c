"""Users' own questions to Prometheus. No statistics: a number that lies above its maximum three times in a row blames.

Nothing is known of what the number is made of, so no alpha can be promised. Three looks, half a minute apart, keep one
odd scrape from turning a candidate back; a query over more than a minute sees some of the same requests three times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from viridian.guards.counts import Counts
from viridian.guards.judge import Judgement, Verdict

ROW: Final = 3
"""Numbers above the maximum, one after the other, that blame the candidate."""

EVERY: Final = 30.0
"""Seconds between two times that a query is asked."""

_PLACEHOLDER: Final = re.compile(r"\$(revision|stable)\b")

SWITCHED_OFF: Final = (
    "It is ignored: this operator has no endpoint for users' queries. An administrator enables them by the chart"
    " value prometheus.userQueries.url, an endpoint that limits a query to the series of one namespace, such as"
    " prom-label-proxy."
)


@dataclass(frozen=True)
class QueryGuard:
    """A PromQL query and the largest number that it may answer.

    Attributes:
        name: Chosen by the user.
        query: With `$revision` and `$stable` for the names of the revisions.
        maximum: The largest acceptable number.
    """

    name: str
    query: str
    maximum: float

    @property
    def title(self) -> str:
        """What status calls it."""
        return f"query-{self.name}"

    def expression(self, revision: str, stable: str | None) -> str:
        """The query as it is sent.

        Args:
            revision: The candidate's revision.
            stable: Stable's; None where there is none yet.

        Raises:
            ValueError: If the query names stable and there is none.
        """
        names = {"revision": revision, "stable": stable}
        if stable is None and any(match[1] == "stable" for match in _PLACEHOLDER.finditer(self.query)):
            raise ValueError("$stable has no value, as there is no stable revision yet")
        return _PLACEHOLDER.sub(lambda match: str(names[match[1]]), self.query)


@dataclass(frozen=True)
class Answers:
    """What a query has answered so far.

    Attributes:
        guard: The question; another one begins anew.
        asked_at: When it was last asked, in seconds since the epoch; None before.
        value: The last number; None before there was one.
        row: How many numbers in a row were above the maximum.
        trouble: Why the last answer was no number, as a sentence; empty when it was one.
    """

    guard: QueryGuard
    asked_at: float | None = None
    value: float | None = None
    row: int = 0
    trouble: str = ""

    def is_due(self, now: float) -> bool:
        """Whether it is time to ask."""
        return self.asked_at is None or now - self.asked_at >= EVERY

    def answered(self, value: float, now: float) -> Answers:
        """With a number."""
        row = self.row + 1 if value > self.guard.maximum else 0
        return replace(self, asked_at=now, value=value, row=row, trouble="")

    def inconclusive(self, trouble: str, now: float) -> Answers:
        """With an answer that is none. It says nothing, so the row neither grows nor ends."""
        return replace(self, asked_at=now, trouble=trouble)


def judge_query(answers: Answers) -> Judgement:
    """What the answers say of the candidate."""
    guard = answers.guard
    limit = f"its maximum of {guard.maximum:g}"
    if answers.row >= ROW:
        verdict = Verdict.BREACH
        sentence = f"Query {guard.name} answers {answers.value:g}, above {limit} for the {_ordinal(answers.row)} time"
        sentence += f" in a row, {EVERY:g} s apart."
    elif answers.trouble:
        verdict, sentence = Verdict.INCONCLUSIVE, f"Query {guard.name} is inconclusive: {answers.trouble}."
    elif answers.value is None:
        verdict, sentence = Verdict.NOT_ENOUGH_DATA, f"Query {guard.name} has not been answered yet."
    elif answers.row:
        verdict = Verdict.NOT_ENOUGH_DATA
        sentence = f"Query {guard.name} answers {answers.value:g}, above {limit}; asked again before it counts."
    else:
        verdict, sentence = Verdict.HEALTHY, f"Query {guard.name} answers {answers.value:g}, within {limit}."
    return _judgement(guard, verdict, answers.row, sentence)


def ignored(guard: QueryGuard) -> Judgement:
    """That a query is not asked at all, and what would have to be done."""
    return _judgement(guard, Verdict.IGNORED, 0, f"Query {guard.name}: {SWITCHED_OFF}")


def _judgement(guard: QueryGuard, verdict: Verdict, row: int, sentence: str) -> Judgement:
    return Judgement(guard.title, "query", verdict, row, ROW, Counts(), None, sentence)


def _ordinal(number: int) -> str:
    return {3: "third", 4: "fourth", 5: "fifth"}.get(number, f"{number}th")
