"""What pods count of their answers: between two readings, by class, by bound and by cohort."""

import pytest

from viridian.guards.answers.counters import (
    CLASS,
    COHORT,
    CONFIDENCE,
    NON_FINITE,
    NUMBER,
    SHADOW,
    Answers,
    AnswerSnapshot,
    Key,
    PodAnswers,
    deltas,
)
from viridian.guards.counts import Counts

A, B = (CLASS, "a"), (CLASS, "b")


def pod(counts: dict[Key, int], revision: str = "r", started: float | None = None) -> PodAnswers:
    return PodAnswers(revision, counts, started)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        (None, {A: 5}, {A: 5}),
        ({A: 2}, {A: 5}, {A: 3}),
        ({A: 5}, {A: 5}, {A: 0}),
        ({A: 2}, {A: 5, B: 4}, {A: 3, B: 4}),
        # one counter that fell, or went, says that all began anew
        ({A: 6, B: 1}, {A: 5, B: 4}, {A: 5, B: 4}),
        ({A: 1, B: 1}, {A: 5}, {A: 5}),
    ],
)
def test_what_a_pod_has_counted_since(
    before: dict[Key, int] | None, now: dict[Key, int], change: dict[Key, int]
) -> None:
    assert dict(pod(now).since(None if before is None else pod(before))) == change


def counted(before: AnswerSnapshot, after: AnswerSnapshot) -> dict[str, dict[Key, int]]:
    return {revision: dict(answers.counts) for revision, answers in deltas(before, after).items()}


@pytest.mark.parametrize(
    ("started", "change"),
    [
        (None, {}),  # nobody knows since when
        (99.0, {}),
        (100.0, {}),
        (100.1, {"r": {A: 7}}),
    ],
)
def test_a_pod_that_is_new_counts_from_its_beginning(started: float | None, change: dict[str, dict[Key, int]]) -> None:
    before, after = AnswerSnapshot(100.0), AnswerSnapshot(160.0, {"p": pod({A: 7}, started=started)})
    assert counted(before, after) == change


def test_pods_of_a_revision_count_together_and_those_of_others_apart() -> None:
    before = AnswerSnapshot(100.0, {"p": pod({A: 1}), "q": pod({A: 1}), "o": pod({A: 1}, "other")})
    after = AnswerSnapshot(160.0, {"p": pod({A: 3}), "q": pod({A: 4, B: 1}), "o": pod({A: 9}, "other")})
    assert counted(before, after) == {"r": {A: 5, B: 1}, "other": {A: 8}}


def test_a_pod_that_has_gone_stays_with_its_last_counts() -> None:
    # given
    earlier = AnswerSnapshot(100.0, {"p": pod({A: 1}), "q": pod({A: 2})})
    later = AnswerSnapshot(160.0, {"p": pod({A: 3})})
    # then
    assert later.after(earlier) == AnswerSnapshot(160.0, {"p": pod({A: 3}), "q": pod({A: 2})})


ANSWERS = Answers(
    {
        A: 6,
        B: 3,
        (CLASS, "never"): 0,
        (CONFIDENCE, "0.9"): 8,
        (CONFIDENCE, "0.5"): 2,
        (CONFIDENCE, "+Inf"): 9,
        (NON_FINITE,): 1,
        (SHADOW, "iris-2", "agreed"): 4,
        (SHADOW, "iris-2", "failed"): 1,
        (SHADOW, "iris-3", "agreed"): 7,
        (COHORT, "r", "1d", "correct"): 5,
        (COHORT, "r", "1d", "incorrect"): 2,
        (COHORT, "r", "7d", "incorrect"): 1,
        (COHORT, "s", "1d", "correct"): 9,
    }
)
NUMBERS = Answers({(NUMBER, "10"): 3, (NUMBER, "+Inf"): 5, (NON_FINITE,): 2})


def test_labels_by_class() -> None:
    assert ANSWERS.classes == {"a": 6, "b": 3}
    assert (ANSWERS.labels, ANSWERS.predictions) == (9, 9)
    assert ANSWERS.of_class("a") == Counts(9, 6)
    assert ANSWERS.of_class("never") == Counts(9, 0)
    assert ANSWERS.of_classes(frozenset({"a", "b", "never"})) == Counts(9, 9)
    assert ANSWERS.of_classes(frozenset()) == Counts(9, 0)


def test_numbers_by_bound_in_their_order() -> None:
    assert list(ANSWERS.at_most(CONFIDENCE).items()) == [
        (0.5, Counts(9, 2)),
        (0.9, Counts(9, 8)),
        (float("inf"), Counts(9, 9)),
    ]
    assert ANSWERS.at_most(NUMBER) == {}
    assert (NUMBERS.labels, NUMBERS.predictions, Answers().predictions) == (0, 5, 0)


def test_answers_that_are_no_number() -> None:
    assert ANSWERS.not_finite == Counts(10, 1)
    assert NUMBERS.not_finite == Counts(7, 2)
    assert Answers({A: 3}).not_finite == Counts(3, 0)


def test_what_was_sent_to_a_candidate_as_well() -> None:
    assert ANSWERS.compared("iris-2") == {"agreed": 4, "failed": 1}
    assert ANSWERS.compared("iris-9") == {}


def test_predictions_whose_truth_was_reported_by_their_age() -> None:
    assert ANSWERS.cohorts("r") == {"1d": Counts(7, 2), "7d": Counts(1, 1)}
    assert ANSWERS.cohorts("s") == {"1d": Counts(9, 0)}
    assert ANSWERS.cohorts("t") == {}


def test_answers_add_up() -> None:
    assert dict((Answers({A: 1}) + Answers({A: 2, B: 3})).counts) == {A: 3, B: 3}
