"""When a block of answers is closed, to the very request, and that one guard's block leaves the others alone."""

import pytest
from tests.guards.answers.test_driver import LABELLED, SHADOWED, Fleet, feedback, shadow

from viridian.guards import Rollout, Verdict
from viridian.guards.answers.counters import CLASS
from viridian.guards.config import Source


def start_of(fleet, source=Source.PREDICTIONS):
    return fleet.window.starts[source].stamp


@pytest.mark.parametrize(("candidate", "stable", "closed"), [(5, 5, True), (4, 5, False), (5, 4, False)])
def test_a_block_has_ten_predictions_of_each_side(candidate, stable, closed):
    # given
    fleet = Fleet()
    # when two readings come, fifteen seconds apart
    for _ in range(2):
        fleet.tick({(CLASS, "a"): candidate}, {(CLASS, "a"): stable})
    # then
    assert start_of(fleet) == (30.0 if closed else 0.0)


def test_each_block_lasts_thirty_seconds():
    fleet = Fleet()
    ends = []
    for _ in range(5):
        fleet.tick({(CLASS, "a"): 100}, {(CLASS, "a"): 100})
        ends.append(start_of(fleet))
    assert ends == [0.0, 30.0, 30.0, 60.0, 60.0]


@pytest.mark.parametrize(
    "rollout",
    [
        pytest.param(Rollout("c", None, 20, 0.0), id="a first revision"),
        pytest.param(Rollout("c", "s", 100, 0.0, routed=False), id="one revision at a time"),
    ],
)
def test_without_a_stable_beside_it_a_candidate_s_predictions_are_compared_with_nothing(rollout):
    fleet = Fleet()
    fleet.rollout = rollout
    for _ in range(3):
        fleet.tick({(CLASS, "a"): 100}, {(CLASS, "a"): 100})
    assert "predictions" not in fleet.judgements


def test_the_report_has_the_predictions_of_each_side_also_of_a_block_that_is_open():
    fleet = Fleet()
    fleet.tick({(CLASS, "a"): 100}, {(CLASS, "a"): 1000})
    assert "100 and 1,000 predictions" in fleet.judgements["predictions"].sentence


@pytest.mark.parametrize(("weight", "verdict"), [(20, Verdict.NOT_ENOUGH_DATA), (100, Verdict.NO_CONTROL)])
def test_without_predictions_of_stable_it_matters_whether_it_is_to_get_any(weight, verdict):
    fleet = Fleet(weight=weight)
    fleet.tick({(CLASS, "a"): 100})
    assert fleet.judgements["predictions"].verdict is verdict


@pytest.mark.parametrize("missing", ["c", "s"])
def test_a_revision_without_pods_has_predicted_nothing(missing):
    # given a revision whose pods are not there yet, or no more
    fleet = Fleet()
    fleet.window = None
    del fleet.counts[missing]
    # when the other one answers
    for revision in fleet.counts:
        fleet.counts[revision].update({(CLASS, "a"): 100})
        fleet.look()
        fleet.counts[revision].update({(CLASS, "a"): 100})
    fleet.now += 15
    fleet.look()
    # then
    assert fleet.judgements["predictions"].verdict is Verdict.NOT_ENOUGH_DATA


def test_evidence_adds_up_over_blocks_of_shadow_requests():
    fleet = Fleet(SHADOWED, weight=0)
    for _ in range(3):
        fleet.tick(stable=shadow(10, 0))
    assert fleet.judgements["agreement"].candidate.total == 30


@pytest.mark.parametrize(("agreed", "disagreed", "closed"), [(5, 0, True), (3, 2, True), (4, 0, False), (2, 2, False)])
def test_a_block_has_five_shadow_requests(agreed, disagreed, closed):
    # given
    fleet = Fleet(SHADOWED, weight=0)
    guards = set(fleet.state.absolute)
    # when
    fleet.tick(stable=shadow(agreed, disagreed))
    # then
    assert start_of(fleet, Source.SHADOW) == (15.0 if closed else 0.0)
    assert start_of(fleet) == 0.0
    assert set(fleet.state.absolute) == guards
    assert fleet.judgements["agreement"].candidate.total == agreed + disagreed


def test_without_shadow_requests_that_is_said():
    assert Fleet(SHADOWED, weight=0).judgements["agreement"].sentence == "No shadow request has been compared yet."


def test_what_was_not_compared_is_told_with_its_own_number_alone():
    fleet = Fleet(SHADOWED, weight=0)
    fleet.tick(stable=shadow(30, 0, failed=2))
    assert fleet.judgements["agreement"].sentence.endswith("Not compared: 2 that the candidate failed, 0 dropped.")
    fleet = Fleet(SHADOWED, weight=0)
    fleet.tick(stable=shadow(30, 0))
    assert "Not compared" not in fleet.judgements["agreement"].sentence


@pytest.mark.parametrize(("candidate", "stable", "closed"), [(5, 5, True), (4, 5, False), (5, 4, False)])
def test_a_block_has_five_predictions_with_feedback_of_each_side(candidate, stable, closed):
    # given
    fleet = Fleet(LABELLED)
    guards = set(fleet.state.relative)
    # when
    fleet.tick(feedback("c", "1h", candidate, 0), feedback("s", "1h", stable, 0))
    # then
    assert start_of(fleet, Source.FEEDBACK) == (15.0 if closed else 0.0)
    assert set(fleet.state.relative) == guards
