"""A pod with a great many series, beside honest models: what it costs them, and the operator."""

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.metrics.answers import Series, durations, requests, stamps
from tests.metrics.large_pod import CULPRIT, HONEST, MOST_MEMORY, SCRAPES, SERIES, LargePod

VIAS = ("split", "pin", "direct", "fallback", "check", "mirror")
OUTCOMES = ("ok", "error", "rejected", "cached")
READINGS = 4


def honest(model: str) -> bytes:
    """All that is asked for of one pod."""
    labels: dict[str, Any] = {"model": model, "revision": f"{model}-1"}
    numbers = range(1, SCRAPES + 1)
    page: list[Series] = [stamps(*(100 + 2 * number for number in numbers), **labels)]
    page += [requests(via, outcome, *numbers, **labels) for via in VIAS for outcome in OUTCOMES]
    page += [durations(via, le, *numbers, **labels) for via in VIAS for le in ("0.2", "0.5", "+Inf")]
    return json.dumps(page, separators=(",", ":"))[1:-1].encode()


class Fleet(LargePod):
    """All pods stand still."""

    def __init__(self, *, limits: bool, counts: bool) -> None:
        super().__init__(counts=counts)
        self.limits = limits
        self.pages = {name: honest(name) for name in HONEST}

    def honest(self, model: str) -> bytes:
        return self.pages[model]

    def most(self) -> int:
        return min(int(self.asked[-1]["limit"][0]), SERIES) if self.limits else SERIES


@pytest.mark.parametrize("counts", [True, False], ids=["counted", "found by halving"])
@pytest.mark.parametrize("limits", [True, False], ids=["a server that obeys the limit", "one that does not"])
def test_a_pod_with_many_series_blinds_nobody_else_and_fits_into_memory(limits: bool, counts: bool) -> None:
    # given a model with such a pod, beside fifty others
    server = Fleet(limits=limits, counts=counts)
    models = json.dumps([("default", name) for name in [*HONEST, CULPRIT]])

    # when they are read as the ticker does
    with server.running() as url:
        command = [sys.executable, "-m", "tests.metrics.reader", url, str(READINGS)]
        told = subprocess.run(command, input=models, capture_output=True, text=True, check=True, timeout=300)
    *looks, cost = json.loads(told.stdout)

    # then each reading, the first one too, sees all the others
    assert [look["seen"] for look in looks] == [HONEST] * READINGS
    # and says what is wrong with that one, and where to look
    for look in looks:
        assert look["blind"].keys() == {CULPRIT}
        assert "default/culprit have more series than a model may have" in look["blind"][CULPRIT]
        assert "port 9090" in look["blind"][CULPRIT]
    # within bounds
    assert cost["peak"] < MOST_MEMORY, (looks, cost)
    print([(round(look["seconds"], 2), round(look["stalled"], 2)) for look in looks], cost)
