"""A candidate that answers nothing: when that is its fault, when it is the gateway's, and when it is chance."""

import heapq
import random
from dataclasses import dataclass, field

import pytest
from tests.guards.fleet import seeded

from viridian.guards import (
    Config,
    LatencyGuard,
    PodCounters,
    RequestCounts,
    Rollout,
    Snapshot,
    State,
    Verdict,
    Window,
    advance,
)
from viridian.guards.silence import at_least, longest_answer
from viridian.guards.state import decode, encode

QUICK = Config(error_rate_max=0.10, worse_than_stable=1.5, request_timeout=5.0)
INTERVAL = 2.0


@dataclass
class Gateway:
    """Requests that arrive at random, take their time, and go where the gateway sends them."""

    chance: random.Random
    config: Config = QUICK
    per_minute: float = 600
    weight: int = 5
    sends: float | None = None  # the share that the gateway really gives the candidate; None follows the weight
    hangs: bool = False  # the candidate answers nothing
    outcome: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.3  # mean time of a request
    pods: dict[str, str] = field(default_factory=lambda: {"c": "c1", "s": "s1"})
    silent_metrics: bool = False
    warm: set[str] = field(default_factory=set)  # the sides that answer from their caches
    now: float = 0.0
    answers: list[tuple[float, str, str]] = field(default_factory=list)  # when, by which pod, how
    counts: dict[str, list[int]] = field(default_factory=dict)
    state: State = field(default_factory=State)
    window: Window | None = None

    def step(self) -> list[Verdict]:
        """One scrape interval."""
        end, rate = self.now + INTERVAL, self.per_minute / 60
        arrival = self.now + self.chance.expovariate(rate)
        while arrival < end:
            share = self.weight / 100 if self.sends is None else self.sends
            side = "c" if self.chance.random() < share else "s"
            if side == "s" or not self.hangs:
                took = min(self.chance.expovariate(1 / self.seconds), self.config.request_timeout)
                outcome = "cached" if side in self.warm else self.outcome.get(side, "ok")
                heapq.heappush(self.answers, (arrival + took, self.pods[side], outcome))
            arrival += self.chance.expovariate(rate)
        self.now = end
        while self.answers and self.answers[0][0] <= end:
            _, pod, outcome = heapq.heappop(self.answers)
            numbers = self.counts.setdefault(pod, [0, 0, 0, 0])
            numbers[0] += outcome in {"ok", "error"}
            numbers[1] += outcome == "error"
            numbers[2] += outcome in {"rejected", "cached"}
            numbers[3] += outcome == "cached"
        rollout = Rollout("c", "s", self.weight, 0.0)
        self.state, self.window, self.judgements = advance(
            self.config, self.state, self.window, self._snapshot(), rollout
        )
        return [judgement.verdict for judgement in self.judgements if judgement.guard == "answers"]

    def run(self, seconds: float) -> set[Verdict]:
        """What was said about silence in that time."""
        said: set[Verdict] = set()
        end = self.now + seconds
        while self.now < end:
            said.update(self.step())
        return said

    def until(self, verdict: Verdict, within: float = 3600) -> float:
        """Seconds until that is said."""
        start = self.now
        while self.now - start < within:
            if verdict in self.step():
                return self.now - start
        raise AssertionError(f"not {verdict} within {within} s")

    @property
    def sentence(self) -> str:
        return next(judgement.sentence for judgement in self.judgements if judgement.guard == "answers")

    def restart(self) -> None:
        """Another operator goes on from the status."""
        self.state = decode(encode(self.state))
        self.window = Window.at(self._snapshot())

    def _snapshot(self) -> Snapshot:
        pods: dict[str, dict[str, PodCounters]] = {"c": {}, "s": {}}
        for side, uid in self.pods.items():
            if side == "s" or not self.silent_metrics:
                requests, errors, rest, hits = self.counts.get(uid, [0, 0, 0, 0])
                pods[side][uid] = PodCounters(self.now, RequestCounts(requests, errors, hits=hits), rest=rest)
        return Snapshot(self.now, pods)


@pytest.mark.parametrize("weight", [5, 50, 95])
def test_a_candidate_that_answers_from_its_cache_is_not_silent(weight):
    # given a candidate that answered at this weight, and knows all the answers now, unlike stable
    gateway = Gateway(seeded(weight), weight=weight)
    gateway.run(120)
    gateway.warm = {"c"}
    # when stable answers for an hour, then nobody says that the candidate does not
    assert gateway.run(3600) == set()


@pytest.mark.parametrize("warm", [set(), {"s"}, {"c"}, {"c", "s"}])
def test_what_a_cache_answered_shows_what_the_gateway_gave(warm):
    # given caches that answer all requests of either color, or of both, and then a candidate that hangs
    gateway = Gateway(seeded(3), weight=25, warm=warm)
    assert gateway.run(120) == set()
    gateway.hangs = True
    # when stable goes on answering, then the candidate is blamed as soon as without a cache
    assert gateway.until(Verdict.BREACH) <= 120


@pytest.mark.parametrize("weight", [5, 25, 50, 95])
def test_a_candidate_that_stops_answering_is_blamed_within_a_minute_or_two(weight):
    # given a candidate that answered at this weight
    gateway = Gateway(seeded(weight), weight=weight)
    assert gateway.run(120) == set()

    # when it answers nothing any more
    gateway.hangs = True
    seconds = gateway.until(Verdict.BREACH)

    # then it is blamed, with what the blame rests on
    assert 2 * QUICK.request_timeout <= seconds <= 120
    assert "The candidate has answered no request for " in gateway.sentence
    assert "; before, the gateway gave it at least " in gateway.sentence


@pytest.mark.parametrize("weight", [5, 50, 95])
def test_a_gateway_that_never_followed_is_not_the_models_fault(weight):
    # given a weight that the gateway never heard of, as when its controller is down
    gateway = Gateway(seeded(1), weight=weight, sends=0.0)

    # then that is said, and the model is not blamed, however long it lasts
    gateway.until(Verdict.UNREACHED)
    assert gateway.run(1800) == {Verdict.UNREACHED}
    assert "the model is not blamed: check the gateway's controller" in gateway.sentence

    # and when it follows at last, then all is well
    gateway.sends = None
    gateway.run(60)
    assert gateway.run(600) == set()


def test_a_weight_that_the_gateway_has_not_followed_yet_is_not_held_against_the_candidate():
    # given few requests, and a gateway that still gives the candidate the weight before
    for seed in range(3):
        gateway = Gateway(seeded(seed), per_minute=60, weight=5)
        gateway.run(300)
        gateway.weight, gateway.sends = 95, 0.05
        assert Verdict.BREACH not in gateway.run(900)


def test_silence_after_a_change_of_weight_is_judged_by_what_the_gateway_gave_before():
    # given a candidate that answers at 5 %, and is crushed by 50 %
    gateway = Gateway(seeded(3), weight=5)
    gateway.run(300)
    gateway.weight, gateway.hangs = 50, True
    seconds = gateway.until(Verdict.BREACH)
    # then a share of a few percent is what its silence is held against
    assert 20 < seconds < 180
    assert "at least 4." in gateway.sentence or "at least 3." in gateway.sentence


def test_other_pods_begin_without_blame():
    # given pods that answered, and were replaced while the gateway does not hear of it
    gateway = Gateway(seeded(4), weight=50)
    gateway.run(120)
    gateway.pods, gateway.hangs = {"c": "c2", "s": "s1"}, True
    assert gateway.run(900) == {Verdict.UNREACHED}


def test_pods_that_prometheus_does_not_see_are_not_called_silent():
    gateway = Gateway(seeded(5), weight=50)
    gateway.run(120)
    gateway.hangs = gateway.silent_metrics = True
    assert gateway.run(600) == set()


@pytest.mark.parametrize("outcome", ["ok", "error", "rejected"])
def test_any_answer_breaks_the_silence(outcome):
    gateway = Gateway(seeded(6), weight=50, outcome={"c": outcome})
    assert gateway.run(600) == set()


def test_a_stable_that_fails_as_well_is_no_measure():
    # given both out of order: the one answers with errors, the other not at all
    gateway = Gateway(seeded(7), weight=50)
    gateway.run(120)
    gateway.hangs, gateway.outcome["s"] = True, "error"
    assert gateway.run(600) == set()


def test_no_traffic_is_no_silence():
    gateway = Gateway(seeded(8), weight=50)
    gateway.run(120)
    gateway.per_minute = 0.001
    assert gateway.run(1800) == set()


@pytest.mark.parametrize("weight", [0, 100])
def test_without_a_share_for_both_nothing_is_said(weight):
    gateway = Gateway(seeded(9), weight=weight, hangs=True, sends=0.0)
    assert gateway.run(600) == set()


def test_without_stable_nothing_is_said():
    state, window = State(), None
    for stamp in range(0, 600, 2):
        snapshot = Snapshot(float(stamp), {"c": {"c1": PodCounters(float(stamp))}})
        state, window, judgements = advance(QUICK, state, window, snapshot, Rollout("c", None, 50, 0.0))
        assert [judgement.guard for judgement in judgements] == ["errorRate", "errorRate"]


def test_a_restart_keeps_what_the_gateway_was_seen_to_give_and_begins_the_silence_anew():
    gateway = Gateway(seeded(10), weight=25)
    gateway.run(120)
    gateway.hangs = True
    gateway.run(8)
    gateway.restart()
    assert gateway.until(Verdict.BREACH) >= 2 * QUICK.request_timeout


@pytest.mark.parametrize("weight", [5, 50, 95])
@pytest.mark.parametrize("per_minute", [20, 120, 600])
def test_healthy_candidates_are_hardly_ever_called_silent(weight, per_minute):
    """Slow requests up to the timeout, and few of them: eight rollouts of each kind, and none is blamed."""
    for seed in range(8):
        gateway = Gateway(seeded(seed), per_minute=per_minute, weight=weight, seconds=1.5)
        assert Verdict.BREACH not in gateway.run(300)


def test_silence_by_chance_is_as_rare_as_it_is_said_to_be():
    """At a hundred times the alpha there is something to count: of 100 rollouts hardly one is blamed."""
    config = Config(error_rate_max=0.10, alpha=0.99, request_timeout=2.0)  # silence has 0.0099 of it
    blamed = 0
    for seed in range(100):
        gateway = Gateway(seeded(seed), config, per_minute=240, weight=5, seconds=0.2)
        blamed += bool(gateway.run(120))
    assert blamed <= 4


def test_long_silences_take_little_memory():
    gateway = Gateway(seeded(11), weight=5, sends=0.0)
    gateway.run(3600)
    assert len(gateway.window.silent.marks) <= 40


@pytest.mark.parametrize(
    ("latencies", "timeout", "expected"),
    [
        ((), 30.0, (30.0, 1.0)),
        ((LatencyGuard(95, 0.2),), 30.0, (10.0, 0.95)),
        ((LatencyGuard(50, 0.2), LatencyGuard(99, 2.0)), 30.0, (20.0, 0.99)),
        ((LatencyGuard(95, 5.0),), 30.0, (30.0, 1.0)),
        ((LatencyGuard(95, 0.2),), 2.0, (2.0, 1.0)),
    ],
)
def test_how_long_a_healthy_candidate_may_take(latencies, timeout, expected):
    assert longest_answer(Config(latencies=latencies, request_timeout=timeout)) == expected


def test_a_share_that_was_seen_is_never_taken_for_more():
    assert at_least(0, 1000) == at_least(0, 0) == 0.0
    assert 0.02 < at_least(30, 570) < 0.03
    assert 0.90 < at_least(950, 50) < 0.95
    assert at_least(1, 0) < 0.1
