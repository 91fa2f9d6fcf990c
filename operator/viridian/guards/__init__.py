"""Is the candidate worse? Sequential tests on counts of requests, and verdicts in words. Pure: no I/O, no clock."""

from viridian.guards.alpha import spent
from viridian.guards.config import Config, LatencyGuard, bounds
from viridian.guards.counts import Block, Counts
from viridian.guards.driver import Rollout, Window, advance
from viridian.guards.judge import Judgement, Verdict
from viridian.guards.latency import round_up
from viridian.guards.power import power_sentence, requests_to_detect
from viridian.guards.series import PodCounters, RequestCounts, Snapshot, align
from viridian.guards.state import State, decode, encode

__all__ = [
    "Block",
    "Config",
    "Counts",
    "Judgement",
    "LatencyGuard",
    "PodCounters",
    "RequestCounts",
    "Rollout",
    "Snapshot",
    "State",
    "Verdict",
    "Window",
    "advance",
    "align",
    "bounds",
    "decode",
    "encode",
    "power_sentence",
    "requests_to_detect",
    "round_up",
    "spent",
]
