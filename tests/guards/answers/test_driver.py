"""From readings of answers to judgements: labels, agreement in shadow, feedback."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from viridian.guards import Config, Rollout, State, Verdict, decode, encode
from viridian.guards.answers.counters import (
    CLASS,
    COHORT,
    CONFIDENCE,
    NON_FINITE,
    NUMBER,
    SHADOW,
    AnswerSnapshot,
    PodAnswers,
    deltas,
)
from viridian.guards.answers.driver import advance_answers
from viridian.guards.counts import Counts

DEFAULTS = Config(error_rate_max=0.1, worse_than_stable=1.5)


class Fleet:
    """One pod of each revision that answers, read every 15 s."""

    def __init__(self, config=DEFAULTS, weight=20):
        self.config, self.rollout = config, Rollout("c", "s", weight, 0.0)
        self.counts = {"c": Counter(), "s": Counter()}
        self.now, self.state, self.window, self.judgements = 0.0, State(), None, []
        self.look()

    def look(self):
        pods = {name: PodAnswers(name, dict(counts), -1000.0) for name, counts in self.counts.items()}
        self.state, self.window, found = advance_answers(
            self.config, self.state, self.window, AnswerSnapshot(self.now, pods), self.rollout
        )
        self.judgements = {judgement.guard: judgement for judgement in found}

    def tick(self, candidate=(), stable=()):
        self.counts["c"].update(dict(candidate))
        self.counts["s"].update(dict(stable))
        self.now += 15
        self.look()
        return self.judgements

    def labels(self, rng, minutes, candidate, stable, per_tick=(30, 120)):
        """Random labels for some minutes; whether they ever breached."""
        for _ in range(4 * minutes):
            drawn = [
                {(CLASS, label): int(n) for label, n in zip("ab", rng.multinomial(number, shares), strict=True)}
                for number, shares in zip(per_tick, (candidate, stable), strict=True)
            ]
            if self.tick(*drawn)["predictions"].verdict is Verdict.BREACH:
                return True
        return False


def test_a_label_that_is_predicted_more_often_is_reported_and_blames_nobody():
    fleet = Fleet()
    for _ in range(20):
        fleet.tick({(CLASS, "fraud"): 4, (CLASS, "fine"): 96}, {(CLASS, "fraud"): 14, (CLASS, "fine"): 986})
    judgement = fleet.judgements["predictions"]
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.sentence == (
        "Predicts `fraud` 2.9 times as often as stable (4.0 % against 1.4 %, of 2,000 and 20,000 predictions)."
    )


def test_labels_alike_are_reported_as_such():
    fleet = Fleet()
    for _ in range(20):
        fleet.tick({(CLASS, "a"): 50, (CLASS, "b"): 50}, {(CLASS, "a"): 50, (CLASS, "b"): 50})
    assert fleet.judgements["predictions"].sentence.startswith("Predicts as stable does")


@pytest.mark.parametrize(("kind", "words"), [(NUMBER, "Predicts at most 10 "), (CONFIDENCE, "Is sure by at most 10 ")])
def test_numbers_are_reported_by_their_most_telling_bound(kind, words):
    fleet = Fleet()
    for _ in range(20):
        fleet.tick(
            {(kind, "10"): 9, (kind, "+Inf"): 10, (CLASS, "a"): 10},
            {(kind, "10"): 5, (kind, "+Inf"): 10, (CLASS, "a"): 10},
        )
    assert fleet.judgements["predictions"].sentence.startswith(words)


def test_one_label_instead_of_several_breaches_by_default():
    assert Fleet().labels(np.random.default_rng(1), 10, (1.0, 0.0), (0.6, 0.4))


def test_labels_that_are_all_alike_on_both_sides_blame_nobody():
    assert not Fleet().labels(np.random.default_rng(1), 30, (1.0, 0.0), (0.96, 0.04))


def test_a_shift_is_no_breach_unless_it_is_limited():
    assert not Fleet().labels(np.random.default_rng(1), 30, (0.9, 0.1), (0.5, 0.5))


@pytest.mark.parametrize("limit", [{"max_shift": 0.1}, {"max_class_ratio": 2.0}])
def test_a_limit_is_held_and_breached_by_the_shares_only(limit):
    config = Config(error_rate_max=0.1, worse_than_stable=1.5, **limit)
    assert Fleet(config).labels(np.random.default_rng(2), 30, (0.95, 0.05), (0.7, 0.3))
    early = [Fleet(config).labels(np.random.default_rng(seed), 30, (0.75, 0.25), (0.7, 0.3)) for seed in range(30)]
    assert not any(early)


def test_numbers_that_are_none_breach_by_default():
    fleet = Fleet()
    for _ in range(20):
        fleet.tick({(NUMBER, "+Inf"): 5, (NON_FINITE,): 5}, {(NUMBER, "+Inf"): 100})
    judgement = fleet.judgements["predictions"]
    assert judgement.verdict is Verdict.BREACH
    assert "were not finite" in judgement.sentence


def test_a_model_without_predictions_is_not_spoken_of():
    assert Fleet().tick() == {}


# --- agreement ---

SHADOWED = Config(error_rate_max=0.1, worse_than_stable=1.5, agreement=0.98)


def shadow(agreed, disagreed, **more):
    results = {"agreed": agreed, "disagreed": disagreed, **more}
    return {(SHADOW, "c", result): number for result, number in results.items()}


def test_answers_other_than_stables_breach_the_agreement():
    fleet = Fleet(SHADOWED, weight=0)
    for _ in range(5):
        fleet.tick(stable=shadow(15, 5))
    judgement = fleet.judgements["agreement"]
    assert judgement.verdict is Verdict.BREACH
    assert "were answered otherwise" in judgement.sentence


def test_an_edited_guard_knows_nothing_of_answers_before_the_edit():
    # given a few answers in an open block
    fleet = Fleet(SHADOWED)
    fleet.tick(stable=shadow(0, 4))
    # when the guard is edited
    fleet.config = replace(SHADOWED, agreement=0.97)
    fleet.tick()
    fleet.tick(stable=shadow(5, 0))
    # then it has seen what came since
    assert fleet.judgements["agreement"].candidate == Counts(5, 0)


def test_agreement_is_confirmed_by_enough_of_it_and_what_was_not_compared_is_told():
    fleet = Fleet(SHADOWED, weight=0)
    assert fleet.judgements["agreement"].requests_missing == 0, "without a shadow step there is nothing to wait for"
    fleet.tick(stable=shadow(30, 0, failed=2, dropped=7))
    assert fleet.judgements["agreement"].verdict is Verdict.NOT_ENOUGH_DATA
    assert fleet.judgements["agreement"].requests_missing > 0
    for _ in range(20):
        fleet.tick(stable=shadow(30, 0))
    judgement = fleet.judgements["agreement"]
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.sentence.endswith("Not compared: 2 that the candidate failed, 7 dropped.")


def test_shadow_requests_for_another_candidate_do_not_count():
    fleet = Fleet(SHADOWED, weight=0)
    fleet.tick(stable={(SHADOW, "old", "disagreed"): 500})
    assert fleet.judgements["agreement"].verdict is not Verdict.BREACH


# --- accuracy ---

LABELLED = Config(error_rate_max=0.1, worse_than_stable=1.5, accuracy=1.5)


def feedback(revision, age, correct, incorrect):
    return {(COHORT, revision, age, "correct"): correct, (COHORT, revision, age, "incorrect"): incorrect}


def test_a_less_accurate_candidate_breaches_and_the_coverage_is_told():
    fleet = Fleet(LABELLED)
    for _ in range(10):
        fleet.tick(
            {(CLASS, "a"): 100, **feedback("c", "1h", 5, 5)}, {(CLASS, "a"): 1000, **feedback("s", "1h", 190, 10)}
        )
    judgement = fleet.judgements["accuracy"]
    assert judgement.verdict is Verdict.BREACH
    assert "predictions with feedback on the candidate were wrong (50.0 %)" in judgement.sentence
    assert "Feedback covers 10.0 % of the candidate's predictions and 20.0 % of stable's." in judgement.sentence


def test_only_predictions_of_the_same_age_are_compared():
    # given both right nine times of ten at an age, and stable's old predictions, all of them right
    fleet = Fleet(LABELLED)
    for _ in range(40):
        fleet.tick(feedback("c", "1h", 9, 1), {**feedback("s", "1h", 90, 10), **feedback("s", "7d", 500, 0)})

    # then the old ones do not make the candidate look worse
    judgement = fleet.judgements["accuracy"]
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.stable.total == 4000


# --- readings ---


def test_a_pod_that_began_anew_counts_from_zero_and_one_that_is_gone_stays():
    before = AnswerSnapshot(0, {"p": PodAnswers("c", {(CLASS, "a"): 10}, -50), "q": PodAnswers("c", {(CLASS, "a"): 5})})
    after = AnswerSnapshot(15, {"p": PodAnswers("c", {(CLASS, "a"): 4, (CLASS, "b"): 1}, 5)}).after(before)
    assert deltas(before, after)["c"].classes == {"a": 4, "b": 1}


@pytest.mark.parametrize(("started", "counted"), [(10.0, 7), (-10.0, 0), (None, 0)])
def test_only_a_pod_that_is_new_starts_from_zero(started, counted):
    after = AnswerSnapshot(15, {"p": PodAnswers("c", {(CLASS, "a"): 7}, started)})
    assert sum(answers.labels for answers in deltas(AnswerSnapshot(0), after).values()) == counted


def test_the_evidence_survives_a_restart():
    fleet = Fleet(Config(error_rate_max=0.1, worse_than_stable=1.5, max_shift=0.1))
    fleet.labels(np.random.default_rng(2), 3, (0.8, 0.2), (0.7, 0.3))
    assert decode(json.loads(json.dumps(encode(fleet.state)))) == fleet.state
