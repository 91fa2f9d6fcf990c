"""A tightened schema: the candidate rejects what stable takes."""

import pytest

from viridian.guards import Config, PodCounters, RequestCounts, Rollout, Snapshot, State, Verdict, advance

REJECTED = Config(error_rate_max=0.1, worse_than_stable=1.5, rejected=1.5)


def run(config, candidate, stable, ticks=40):
    """Ticks in which each side takes and rejects so many requests."""
    state, window, judgements = State(), None, []
    for tick in range(ticks):
        pods = {
            name: {
                f"{name}{i}": PodCounters(2.0 * tick, RequestCounts(tick * ok, rejected=tick * no)) for i in range(2)
            }
            for name, (ok, no) in {"c": candidate, "s": stable}.items()
        }
        rollout = Rollout("c", "s", 20, -1000.0)
        state, window, judgements = advance(config, state, window, Snapshot(2.0 * tick, pods), rollout)
    return {judgement.guard: judgement for judgement in judgements if judgement.guard == "rejected"}


@pytest.mark.parametrize("taken", [0, 5])
def test_a_candidate_that_rejects_what_stable_takes_breaches(taken):
    judgement = run(REJECTED, (taken, 5), (40, 0))["rejected"]
    assert judgement.verdict is Verdict.BREACH
    assert "requests on the candidate were rejected" in judgement.sentence


def test_clients_who_are_wrong_on_both_sides_blame_nobody():
    assert run(REJECTED, (5, 5), (40, 40))["rejected"].verdict is Verdict.HEALTHY


def test_without_the_guard_rejected_requests_are_not_judged():
    assert not run(Config(error_rate_max=0.1), (5, 5), (40, 0))
