"""The guards of a spec, as the numbers that judge."""

import pytest
from tests.controller.fakes import spec

from viridian.guards.config import Config, LatencyGuard, SlowerGuard
from viridian.guards.spec import guard_config


def test_guards_are_read_as_plain_numbers() -> None:
    guards = {
        "errorRate": {"max": "0.5%", "worseThanStable": "2"},
        "latency": [{"percentile": "99.9", "max": "1500ms"}],
    }
    assert guard_config(spec(guards=guards)) == Config(0.005, 2.0, (LatencyGuard(99.9, 1.5),), request_timeout=2.0)


def test_guards_on_answers_are_read_as_plain_numbers() -> None:
    guards = {
        "latency": [{"percentile": "99", "maxTimesStable": "1.5"}],
        "rejected": {},
        "predictions": {"maxShift": "10%", "maxClassRatio": "2"},
        "agreement": {"min": "98%"},
        "accuracy": {"worseThanStable": "3"},
    }
    config = guard_config(spec(guards=guards))
    assert (config.latencies, config.slower) == ((), (SlowerGuard(99, 1.5),))
    assert (config.rejected, config.accuracy, config.agreement) == (1.5, 3.0, 0.98)
    assert (config.max_shift, config.max_class_ratio) == (0.1, 2.0)


def test_a_bound_on_latency_needs_a_limit() -> None:
    with pytest.raises(ValueError, match="bounds a percentile by nothing"):
        spec(guards={"latency": [{"percentile": "99"}]})
