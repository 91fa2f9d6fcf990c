"""Verdicts and their sentences, and what happens over a whole rollout."""

import pytest
from tests.guards.fleet import Fleet, seeded

from viridian.guards import Config, LatencyGuard, Verdict
from viridian.guards.counts import Counts
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.power import power_sentence, requests_missing, requests_to_decide, requests_to_detect
from viridian.guards.sentences import evidence, percent

ERRORS = Config(error_rate_max=0.10, worse_than_stable=1.5)
RELATIVE = Config(worse_than_stable=1.5, alpha=0.01 / 3)
ABSOLUTE = Config(error_rate_max=0.10)


def started(config: Config, weight: int = 10) -> Fleet:
    fleet = Fleet(config, weight=weight)
    fleet.look()
    return fleet


def breach(fleet: Fleet):
    return next((judgement for judgement in fleet.judgements if judgement.verdict is Verdict.BREACH), None)


def until_breach(seed: int, config: Config, per_minute: float, weight: int, bad: float, minutes: float) -> int | None:
    """How many requests of a candidate that is bad from the start it takes to be caught; None if it is not."""
    fleet, rng = started(config, weight), seeded(seed)
    while fleet.now < 60 * minutes:
        fleet.random_tick(rng, per_minute, bad, 0.01)
        if breach(fleet):
            return sum(pod.requests for pod in fleet.candidate)
    return None


def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


# --- sentences ---


def test_the_sentence_of_a_breach_of_the_comparison():
    fleet = started(RELATIVE)
    for _ in range(4):
        fleet.tick((10, 2, 0), (900, 1, 0))
    judgement = breach(fleet)
    assert judgement.sentence == (
        "8 of 40 requests on the candidate failed (20.0 %), 4 of 3,600 on stable (0.1 %): worse than 1.5 times "
        "stable's odds, evidence more than a million against a threshold of 303."
    )
    assert (judgement.candidate, judgement.stable) == (Counts(40, 8), Counts(3600, 4))


def test_the_sentence_of_a_breach_of_a_maximum():
    fleet = started(ABSOLUTE)
    fleet.tick((10, 8, 0), (90, 1, 0))
    assert breach(fleet).sentence.startswith(
        "8 of 10 requests on the candidate failed (80.0 %), 1 of 90 on stable (1.1 %): more than the maximum of 10 %, "
    )


def test_the_sentence_of_a_breach_speaks_of_the_requests_that_made_it():
    fleet = started(ABSOLUTE)
    for _ in range(100):
        fleet.tick((10, 0, 0), (90, 0, 0))
    fleet.tick((10, 10, 0), (90, 0, 0))
    assert breach(fleet).candidate == Counts(10, 10)


def test_the_sentence_of_a_slow_candidate_names_the_bound_that_was_used():
    fleet = started(Config(latencies=(LatencyGuard(95, 0.18),)))
    for _ in range(5):
        fleet.tick((10, 0, 6), (90, 0, 1))
    judgement = breach(fleet)
    assert judgement.guard == "latency-p95"
    assert "took longer than 200 ms or failed" in judgement.sentence
    assert "more than the 5 % that P95 allows" in judgement.sentence


def test_too_few_requests_are_said_with_the_missing_number():
    fleet = started(ABSOLUTE)
    assert fleet.judgements[0].sentence.startswith("No request on the new version yet; about ")
    fleet.tick((20, 0, 0), (180, 0, 0))
    first = fleet.judgements[0]
    assert first.verdict is Verdict.NOT_ENOUGH_DATA
    assert 10 <= first.requests_missing <= 40
    assert f"about {first.requests_missing} more are needed" in first.sentence
    fleet.tick((first.requests_missing + 5, 0, 0), (180, 0, 0))
    assert fleet.judgements[0].verdict is Verdict.HEALTHY
    assert fleet.judgements[0].requests_missing == 0


def test_a_rate_at_the_maximum_is_never_said_to_be_below_it():
    fleet = started(ABSOLUTE)
    for _ in range(40):
        fleet.tick((10, 1, 0), (90, 0, 0))
    assert fleet.judgements[0].verdict is Verdict.NOT_ENOUGH_DATA
    assert fleet.judgements[0].requests_missing is None
    assert "too close to" in fleet.judgements[0].sentence


def test_numbers_read_well():
    assert [percent(share) for share in (0, 0.00012, 0.0902, 1)] == ["0.0 %", "0.012 %", "9.0 %", "100.0 %"]
    assert [evidence(value) for value in (0.001, 0.5, 2140.2, 1e9)] == [
        "less than 0.01",
        "0.5",
        "2,140",
        "more than a million",
    ]


# --- whose fault ---


def test_when_both_fail_the_candidate_is_not_blamed():
    fleet = started(ERRORS)
    for _ in range(10):
        fleet.tick((10, 6, 0), (90, 54, 0))
        assert breach(fleet) is None
    assert fleet.judgements[0].verdict is Verdict.SHARED_INCIDENT
    assert "both are over the maximum of 10 %" in fleet.judgements[0].sentence


def test_what_happened_to_both_is_forgiven_when_it_is_over():
    fleet = started(ERRORS)
    for _ in range(10):
        fleet.tick((10, 6, 0), (90, 54, 0))
    for _ in range(20):
        fleet.tick((10, 0, 0), (90, 0, 0))
        assert breach(fleet) is None
    assert fleet.judgements[0].verdict is Verdict.HEALTHY


def test_a_candidate_that_goes_on_failing_after_a_shared_incident_is_blamed():
    fleet = started(ABSOLUTE)
    for _ in range(10):
        fleet.tick((10, 6, 0), (90, 54, 0))
    for _ in range(3):
        fleet.tick((10, 6, 0), (90, 0, 0))
    assert breach(fleet)


def test_blame_waits_for_stable_where_the_candidate_has_most_of_the_traffic():
    fleet = started(ABSOLUTE, weight=95)
    fleet.tick((20, 20, 0), (0, 0, 0))
    assert fleet.judgements[0].verdict is Verdict.NOT_ENOUGH_DATA
    assert "waiting to see whether stable is hit as well" in fleet.judgements[0].sentence
    fleet.tick((20, 20, 0), (2, 0, 0))
    assert breach(fleet)


def test_blame_does_not_wait_for_ever():
    fleet, looks = started(ABSOLUTE, weight=95), 0
    while not breach(fleet):
        fleet.tick((20, 20, 0), (0, 0, 0))
        looks += 1
    assert looks == 6  # 10 s after the first of them


def test_a_few_requests_of_stable_that_settle_nothing_are_waited_on_for_longer():
    fleet, looks = started(ABSOLUTE, weight=95), 0
    while not breach(fleet):
        fleet.tick((100, 20, 0), (1 if looks < 3 else 0, 0, 0))
        looks += 1
    assert 30 <= looks <= 33  # about 60 s after the evidence was complete


def test_one_failure_of_stables_first_few_requests_is_no_incident():
    fleet = started(ABSOLUTE, weight=50)
    fleet.tick((6, 6, 0), (6, 1, 0))
    assert breach(fleet)


def test_several_failures_of_stable_are_an_incident_even_if_most_of_its_requests_went_well():
    fleet = started(ABSOLUTE, weight=50)
    fleet.tick((20, 20, 0), (24, 3, 0))
    assert fleet.judgements[0].verdict is Verdict.SHARED_INCIDENT


def test_a_shared_incident_lasts_until_two_blocks_show_that_it_is_over():
    fleet = started(ABSOLUTE)
    fleet.tick((10, 6, 0), (90, 54, 0))
    fleet.tick((2, 0, 0), (20, 0, 0))
    assert fleet.judgements[0].verdict is Verdict.SHARED_INCIDENT
    for _ in range(2):
        fleet.tick((30, 0, 0), (100, 0, 0))
    assert fleet.judgements[0].verdict is not Verdict.SHARED_INCIDENT


def test_mild_evidence_adds_up_over_many_blocks():
    fleet, looks = started(ABSOLUTE), 0
    while not breach(fleet) and looks < 100:
        fleet.tick((20, 3, 0), (180, 1, 0))
        looks += 1
    assert 10 < looks < 100


def test_good_requests_of_stable_after_an_incident_do_not_turn_it_into_blame():
    fleet = started(ABSOLUTE, weight=95)
    for _ in range(4):
        fleet.tick((20, 20, 0), (0, 0, 0))
    for _ in range(30):
        fleet.tick((20, 0, 0), (3, 0, 0))
        assert breach(fleet) is None


# --- what clients choose to send ---


@pytest.mark.parametrize("pinned", [6, 100, 100_000])
@pytest.mark.parametrize("config", [ABSOLUTE, ERRORS, Config(error_rate_max=0.01)], ids=["absolute", "both", "strict"])
@pytest.mark.parametrize("traffic", [((0, 0, 0), (0, 0, 0)), ((10, 0, 0), (90, 0, 0))], ids=["no other", "good others"])
def test_failing_pinned_requests_alone_turn_nobody_back(traffic, config, pinned):
    fleet = started(config)
    for _ in range(40):
        fleet.pin(pinned, errors=pinned)
        fleet.tick(*traffic)
        assert breach(fleet) is None
    assert f"Of pinned requests, {40 * pinned:,} of {40 * pinned:,} failed" in fleet.judgements[0].sentence


def test_failing_pinned_requests_hold_up_no_healthy_candidate():
    fleet = started(ABSOLUTE)
    for _ in range(10):
        fleet.pin(50, errors=50)
        fleet.tick((10, 0, 0), (90, 0, 0))
    assert fleet.judgements[0].verdict is Verdict.HEALTHY
    assert fleet.judgements[0].requests_missing == 0


def test_good_pinned_requests_promote_nobody():
    fleet = started(ABSOLUTE)
    for _ in range(10):
        fleet.pin(1000)
        fleet.tick((1, 0, 0), (9, 0, 0))
    assert fleet.judgements[0].verdict is Verdict.NOT_ENOUGH_DATA
    assert fleet.judgements[0].requests_missing > 0


@pytest.mark.parametrize("pinned", [0, 100_000])
def test_good_pinned_requests_hide_no_failing_ones(pinned):
    fleet, looks = started(ABSOLUTE), 0
    while not breach(fleet):
        fleet.pin(pinned)
        fleet.tick((5, 5, 0), (45, 0, 0))
        looks += 1
    assert looks == 1


@pytest.mark.parametrize(("pinned", "blamed"), [(0, False), (20, True)])
def test_pinned_requests_add_to_what_others_show(pinned, blamed):
    # given a candidate of which three requests failed, which is no breach by itself
    fleet = started(Config(error_rate_max=0.10, alpha=0.01 / 3))
    fleet.pin(pinned, errors=pinned)
    fleet.tick((3, 3, 0), (27, 0, 0))
    # then it is one where pinned ones fail as well, and the sentence has both
    assert bool(breach(fleet)) is blamed
    assert "3 of 3 requests on the candidate failed" in fleet.judgements[0].sentence
    assert ("Of pinned requests, 20 of 20 failed" in fleet.judgements[0].sentence) is blamed


def test_pinned_requests_survive_a_restart_of_the_operator():
    fleet = started(ABSOLUTE)
    for _ in range(3):
        fleet.pin(20, errors=20)
        fleet.tick((10, 1, 0), (90, 0, 0))
    before = fleet.state
    fleet.restart(fleet.window.start)
    assert fleet.state == before
    assert fleet.state.absolute["errorRate"].pins == Counts(60, 60)


@pytest.mark.parametrize("rate", [0.1, 1.0], ids=["pinned ones fail as often as allowed", "all of them fail"])
def test_whatever_clients_pin_a_healthy_candidate_is_seldom_turned_back(rate):
    """At the maximum itself, which is the hardest case: 1 in 20 with pins that all fail, 1 in 300 without."""
    blamed = 0
    for seed in range(25):
        fleet, rng = started(ABSOLUTE, weight=50), seeded(seed)
        while fleet.now < 60:
            fleet.pin(20, errors=round(20 * rate))
            fleet.random_tick(rng, 600, 0.1, 0.01)
            if breach(fleet):
                blamed += 1
                break
    assert blamed <= 4


# --- whole rollouts ---


def test_an_all_failing_candidate_is_caught_after_five_requests_even_at_ten_requests_a_minute():
    needed = [until_breach(seed, RELATIVE, per_minute=10, weight=10, bad=1.0, minutes=60) for seed in range(10)]
    assert median(needed) == 5


def test_one_to_ten_percent_is_caught_within_some_eighty_requests():
    needed = [until_breach(seed, RELATIVE, per_minute=600, weight=10, bad=0.10, minutes=30) for seed in range(15)]
    assert 35 <= median(needed) <= 110


@pytest.mark.parametrize("weight", [10, 50, 95])
def test_a_short_incident_that_hits_both_turns_no_candidate_back(weight):
    blamed = 0
    for seed in range(12):
        fleet, rng = started(ERRORS, weight), seeded(seed)
        while fleet.now < 90:
            p = 0.5 if 30 <= fleet.now < 40 else 0.01
            fleet.random_tick(rng, 600, p, p)
            if breach(fleet):
                blamed += 1
                break
    assert blamed == 0


def test_healthy_candidates_are_not_turned_back():
    for seed in range(10):
        assert until_breach(seed, ERRORS, per_minute=600, weight=25, bad=0.01, minutes=5) is None


# --- power ---


def test_the_power_that_is_promised_is_the_power_there_is():
    promised = requests_to_detect(psi=11.0, psi0=1.5, base_rate=0.01, share=0.10, alpha=0.01 / 3)
    needed = [until_breach(seed, RELATIVE, per_minute=600, weight=10, bad=0.10, minutes=30) for seed in range(15)]
    assert promised / 2 < median(needed) < promised * 2


def test_the_sentence_about_power():
    sentence = power_sentence(60, psi0=1.5, base_rate=0.01, share=0.10, alpha=0.01 / 3)
    assert sentence.startswith("at 60 requests a minute to the candidate a 5x regression is caught in about 6 minutes")
    assert sentence.endswith("1.25x would not be")
    assert "cannot be told" in power_sentence(0, 1.5, 0.01, 0.1, 0.003)
    assert "cannot be told" in power_sentence(60, 1.5, 0.01, 1.0, 0.003)


def test_what_is_acceptable_is_never_detected():
    assert requests_to_detect(psi=1.4, psi0=1.5, base_rate=0.01, share=0.1, alpha=0.003) is None


def test_more_good_requests_leave_fewer_missing():
    process = EProcess.start(3)
    assert 30 <= requests_missing(process, Counts(), 0.10) <= 60
    assert 300 <= requests_missing(process, Counts(), 0.01) <= 600
    assert requests_missing(process, Counts(100, 50), 0.10) is None


@pytest.mark.parametrize(("events", "total", "more"), [(0, 10, None), (1, 10, None), (6, 23, 55), (10, 10, 3)])
def test_failures_above_the_maximum_say_how_many_more_requests_decide(events: int, total: int, more: int | None):
    # given a maximum of 10 %, evidence that has not grown yet, and a threshold of 303
    found = requests_to_decide(1.0, 303.0, Counts(total, events), 0.1)
    # then it is within the maximum and never decided, or about log(303) over the relative entropy
    assert found == more
