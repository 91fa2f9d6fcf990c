"""Prints the figures of docs/explanation/guards.md: requests to go forward and back, and the length of a silence.

dev/python.sh docs/evidence/guards_table.py
"""

import statistics
import sys
from dataclasses import replace

from tests.guards.fleet import Fleet, seeded
from tests.guards.test_silence import Gateway

from viridian.guards import Config, Verdict
from viridian.guards.counts import Counts
from viridian.guards.evidence.eprocess import EProcess
from viridian.guards.power import requests_missing

DEFAULTS = Config(error_rate_max=0.10, worse_than_stable=1.5)
RUNS, PER_MINUTE, MINUTES, BASE = 15, 600, 20, 0.01
MAXIMA = (0.2, 0.1, 0.05, 0.02, 0.01, 0.001)
RATES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.03)
WEIGHTS = (5, 25, 50, 95)


def caught(seed: int, weight: int, rate: float) -> tuple[int, float] | None:
    """Failed requests and seconds until a candidate that is bad from the start is blamed; None if it is not."""
    fleet, chance = Fleet(DEFAULTS, weight=weight), seeded(seed)
    fleet.look()
    while fleet.now < 60 * MINUTES:
        fleet.random_tick(chance, PER_MINUTE, rate, BASE)
        if any(judgement.verdict is Verdict.BREACH for judgement in fleet.judgements):
            return sum(pod.errors for pod in fleet.candidate), fleet.now
    return None


def cell(weight: int, rate: float) -> str:
    """The medians of those that were caught, and how many those were."""
    runs = [run for seed in range(RUNS) if (run := caught(seed, weight, rate)) is not None]
    if not runs:
        return "none"
    failed, seconds = (statistics.median(numbers) for numbers in zip(*runs, strict=True))
    return f"{failed:g} failed, {seconds:g} s" + (f" ({len(runs)} of {RUNS})" if len(runs) < RUNS else "")


def silent(seed: int, weight: int, timeout: float) -> float:
    """Seconds until a candidate is blamed that answers nothing any more, after ten good minutes."""
    gateway = Gateway(seeded(seed), replace(DEFAULTS, request_timeout=timeout), per_minute=PER_MINUTE, weight=weight)
    gateway.run(600)
    gateway.hangs = True
    return gateway.until(Verdict.BREACH)


def main() -> None:
    """Print all tables."""
    for maximum in MAXIMA:
        missing = requests_missing(EProcess.start(3), Counts(), maximum)
        sys.stdout.write(f"forward, at most {100 * maximum:g} %: {missing:,} requests\n")
    for rate in RATES:
        cells = ", ".join(f"{weight} %: {cell(weight, rate)}" for weight in WEIGHTS)
        sys.stdout.write(f"back, {100 * rate:g} % fail: {cells}\n")
    for timeout in (5.0, 30.0):
        seconds = (statistics.median(silent(seed, weight, timeout) for seed in range(5)) for weight in WEIGHTS)
        cells = ", ".join(f"{weight} %: {time:g} s" for weight, time in zip(WEIGHTS, seconds, strict=True))
        sys.stdout.write(f"silent, serving.timeout {timeout:g} s: {cells}\n")


if __name__ == "__main__":
    main()
