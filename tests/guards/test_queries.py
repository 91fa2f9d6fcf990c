"""Users' own queries: what three numbers in a row mean, and what is no number at all."""

import pytest

from viridian.guards.judge import Verdict
from viridian.guards.queries import EVERY, Answers, QueryGuard, ignored, judge_query

DRIFT = QueryGuard("drift", 'max(drift{revision="$revision"}) / max(drift{revision="$stable"})', 0.2)


def after(*numbers: float | str) -> Answers:
    """What a query has answered: numbers, or the trouble that kept it from one."""
    answers = Answers(DRIFT)
    for index, number in enumerate(numbers):
        now = EVERY * index
        answers = answers.inconclusive(number, now) if isinstance(number, str) else answers.answered(number, now)
    return answers


@pytest.mark.parametrize(
    ("numbers", "verdict", "row"),
    [
        ([], Verdict.NOT_ENOUGH_DATA, 0),
        ([0.1], Verdict.HEALTHY, 0),
        ([0.2], Verdict.HEALTHY, 0),
        ([-5.0], Verdict.HEALTHY, 0),
        ([0.21], Verdict.NOT_ENOUGH_DATA, 1),
        ([0.3, 0.3], Verdict.NOT_ENOUGH_DATA, 2),
        ([0.3, 0.3, 0.3], Verdict.BREACH, 3),
        ([0.3, 0.3, 0.1, 0.3], Verdict.NOT_ENOUGH_DATA, 1),
        ([0.3, 0.3, "NaN"], Verdict.INCONCLUSIVE, 2),
        ([0.3, 0.3, "NaN", 0.3], Verdict.BREACH, 3),
        (["NaN", "NaN", "NaN"], Verdict.INCONCLUSIVE, 0),
        ([0.1, "NaN"], Verdict.INCONCLUSIVE, 0),
        ([0.3, 0.3, 0.3, "NaN"], Verdict.BREACH, 3),
    ],
)
def test_three_numbers_above_the_maximum_in_a_row_blame_the_candidate(numbers, verdict, row):
    judgement = judge_query(after(*numbers))
    assert (judgement.verdict, judgement.e_value, judgement.threshold) == (verdict, row, 3)
    assert (judgement.guard, judgement.kind) == ("query-drift", "query")


def test_sentences_name_the_query_and_its_numbers():
    def said(*numbers):
        return judge_query(after(*numbers)).sentence

    assert said() == "Query drift has not been answered yet."
    assert said(0.1) == "Query drift answers 0.1, within its maximum of 0.2."
    assert said(0.3) == "Query drift answers 0.3, above its maximum of 0.2; asked again before it counts."
    assert said("it is NaN") == "Query drift is inconclusive: it is NaN."
    assert said(0.3, 0.3, 0.4) == (
        "Query drift answers 0.4, above its maximum of 0.2 for the third time in a row, 30 s apart."
    )


def test_an_ignored_query_says_how_to_switch_it_on():
    judgement = ignored(DRIFT)
    assert judgement.verdict is Verdict.IGNORED
    assert judgement.sentence.startswith("Query drift: It is ignored")
    assert "prometheus.userQueries.url" in judgement.sentence


def test_placeholders_stand_for_the_revisions_and_nothing_else_changes():
    query = QueryGuard("x", 'a{r="$revision"} - a{r="$stable"} + a{m=~"iris$", b="$revisions", c="$other"}', 1.0)
    assert query.expression("iris-2", "iris-1") == (
        'a{r="iris-2"} - a{r="iris-1"} + a{m=~"iris$", b="$revisions", c="$other"}'
    )


def test_a_first_revision_cannot_be_compared():
    with pytest.raises(ValueError, match="no stable revision yet"):
        DRIFT.expression("iris-1", None)
    assert QueryGuard("x", "up{r='$revision'}", 1.0).expression("iris-1", None) == "up{r='iris-1'}"


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (EVERY - 0.1, False), (EVERY, True)])
def test_a_query_is_asked_every_thirty_seconds(seconds, due):
    assert Answers(DRIFT).is_due(0)
    assert Answers(DRIFT).answered(0.1, 100).is_due(100 + seconds) is due
    assert Answers(DRIFT).inconclusive("NaN", 100).is_due(100 + seconds) is due
