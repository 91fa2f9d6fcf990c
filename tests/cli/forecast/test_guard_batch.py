"""What the forecast asks of the guards is what the operator's driver asks of them, look by look."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.guards.fleet import poisson

from viridian.cli.forecast.guard_batch import VERDICTS, GuardBatch
from viridian.cli.forecast.tables import ERRORS, REJECTED, SLOW, TOTAL, Array, Requests
from viridian.guards.config import Config, LatencyGuard
from viridian.guards.driver import Rollout, Window, advance
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.series import PodCounters, RequestCounts, Snapshot
from viridian.guards.state import State

BOUND, LOOKS, TOGETHER = 0.2, 90, 6
CONFIGS = (
    Config(error_rate_max=0.05, worse_than_stable=1.5, latencies=(LatencyGuard(95, BOUND),)),
    Config(error_rate_max=0.1, worse_than_stable=1.0, request_timeout=5.0),
    Config(
        error_rate_max=0.1, worse_than_stable=1.5, rejected=2.0, latencies=(LatencyGuard(99, BOUND, of_stable=True),)
    ),
    Config(error_rate_max=0.02, worse_than_stable=0.5),
)
NONE = RequestCounts(buckets={BOUND: 0, math.inf: 0})


def draw(rng: random.Random, mean: float, errors: float, slow: float) -> RequestCounts:
    requests = poisson(rng, mean)
    failed = sum(rng.random() < errors for _ in range(requests))
    late = sum(rng.random() < slow for _ in range(requests - failed))
    refused = poisson(rng, mean * errors)
    return RequestCounts(requests, failed, {BOUND: requests - failed - late, math.inf: requests}, rejected=refused)


@dataclass
class Real:
    """A rollout that is judged by the operator's own driver."""

    config: Config
    rng: random.Random
    routed: bool
    per_look: float = 0.0
    errors: tuple[float, float] = (0.0, 0.0)
    slow: float = 0.0
    pods: dict[str, list[list[RequestCounts]]] = field(default_factory=dict)
    state: State = field(default_factory=State)
    window: Window | None = None
    weight: tuple[int, float] = (0, -1000.0)
    judgements: list[Judgement] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = self.rng
        self.per_look = rng.choice((0.5, 6.0, 60.0))
        self.errors = rng.choice((0.0, 0.01, 0.08, 0.4, 1.0)), rng.choice((0.0, 0.01, 0.3))
        self.slow = rng.choice((0.0, 0.03, 0.3))
        self.pods = {name: [[NONE] * 3 for _ in range(count)] for name, count in (("c", 2), ("s", 3))}

    def serve(self) -> dict[str, list[list[RequestCounts]]]:
        """What each pod answers until the next look: comparable, pinned and mirrored requests."""
        new = {}
        share = {"c": self.weight[0] / 100, "s": 1 - self.weight[0] / 100}
        for name, own in self.pods.items():
            errors, slow = (self.errors[0], self.slow) if name == "c" else (self.errors[1], 0.01)
            mean = self.per_look * share[name] / len(own)
            extra = self.per_look / 20 if name == "c" and self.routed else 0.0
            new[name] = [
                [draw(self.rng, mean * (index + 1) / 2, errors, slow), *(draw(self.rng, extra, errors, slow),) * 2]
                for index in range(len(own))
            ]
            self.pods[name] = [
                [old + more for old, more in zip(pod, added, strict=True)]
                for pod, added in zip(own, new[name], strict=True)
            ]
        return new

    def look(self, stamp: float) -> None:
        pods = {
            name: {
                f"{name}{index}": PodCounters(stamp, comparable, pinned, mirrored=mirrored)
                if self.routed
                else PodCounters(stamp, direct=comparable)
                for index, (comparable, pinned, mirrored) in enumerate(own)
            }
            for name, own in self.pods.items()
        }
        rollout = Rollout("c", "s", *self.weight, self.routed)
        self.state, self.window, found = advance(self.config, self.state, self.window, Snapshot(stamp, pods), rollout)
        # Of silence, which is not drawn, only the driver speaks.
        self.judgements = [each for each in found if each.guard != "answers"]


def table(counts: list[RequestCounts], config: Config) -> list[int]:
    total = sum(counts, NONE)
    rows = [0] * (SLOW + len(config.latencies))
    rows[TOTAL], rows[ERRORS], rows[REJECTED] = total.requests, total.errors, total.rejected
    if config.latencies:
        rows[SLOW] = total.requests - total.buckets[BOUND]
    return rows


def together(new: list[dict[str, list[list[RequestCounts]]]], config: Config, *, routed: bool) -> Requests:
    def rows(pick: Callable[[dict[str, list[list[RequestCounts]]]], list[RequestCounts]]) -> Array:
        return np.array([table(pick(each), config) for each in new], dtype=float).T

    candidate, stable = (
        rows(lambda each: [pod[0] for pod in each["c"]]),
        rows(lambda each: [pod[0] for pod in each["s"]]),
    )
    if not routed:
        return Requests(candidate, stable)

    def pods(name: str) -> Array:
        by_rollout = [[table([pod[0]], config) for pod in each[name]] for each in new]
        return np.moveaxis(np.array(by_rollout, dtype=float), 0, -1)

    return Requests(
        candidate,
        stable,
        mirrored=rows(lambda each: [pod[2] for pod in each["c"]]),
        pinned=rows(lambda each: [pod[1] for pod in each["c"]]),
        stable_pods=pods("s"),
        candidate_pods=pods("c"),
    )


@pytest.mark.parametrize("routed", [True, False])
@pytest.mark.parametrize("seed", range(16))
def test_the_same_requests_are_judged_alike(seed: int, routed: bool) -> None:
    # given random traffic, candidates that may be bad, and weights that rise
    rng = random.Random(seed)
    config, interval = CONFIGS[seed % len(CONFIGS)], rng.choice((2.0, 15.0))
    real = [Real(config, random.Random(f"{seed} {number}"), routed) for number in range(TOGETHER)]
    batch, stamp = GuardBatch(config, TOGETHER, routed), 0.0
    zero = np.zeros((batch.rows, TOGETHER))
    for look in range(LOOKS):
        # when both take in what happened
        stamp += interval
        new = together([one.serve() for one in real], config, routed=routed) if look else Requests(zero, zero)
        for one in real:
            one.look(stamp)
        found = batch.look(
            np.full(len(real), stamp),
            new,
            np.array([one.weight[0] for one in real]),
            np.array([one.weight[1] for one in real]),
        )
        # then they say the same
        for column, one in enumerate(real):
            fixed = [each for each in one.judgements if each.kind == "absolute"]
            assert [VERDICTS[index] for index in found.verdicts[:, column]] == [each.verdict for each in fixed], look
            evidence = [math.log(each.e_value) for each in one.judgements]  # which the driver rounds
            assert np.log(found.evidence[:, column]) == pytest.approx(evidence, abs=0.01), look
            assert found.breach[column] == any(each.verdict is Verdict.BREACH for each in one.judgements), look
            assert found.speaks[column] == all(each.requests_missing == 0 for each in fixed), look
        for one in real:
            if one.rng.random() < 0.15:
                one.weight = one.rng.choice((0, 10, 50, 95, 100) if routed else (100,)), stamp
        if look == LOOKS // 2:  # some of them are over
            batch.keep(np.arange(TOGETHER) % 2 == 0)
            real = real[::2]


def test_the_thresholds_are_those_of_the_driver() -> None:
    config = CONFIGS[2]
    one = Real(config, random.Random(1), routed=True)
    one.look(0.0)
    assert GuardBatch(config, 1).thresholds == pytest.approx([each.threshold for each in one.judgements])
