"""Objectives as metrics."""

from tests.serving.pages import samples

from viridian_serving.settings.dynamic import ObjectiveSettings
from viridian_serving.telemetry.objective_gauges import ObjectiveGauges
from viridian_shared.counts.latency import GRID

IDENTITY = ("ml", "m", "m-1", "u")


def page(objectives: ObjectiveSettings) -> dict[tuple[str, ...], float]:
    return samples(lambda: ObjectiveGauges(IDENTITY, GRID, lambda: objectives).collect(), "le")


def test_a_bound_is_the_next_bucket_by_the_name_that_the_histogram_gives_it() -> None:
    assert page(ObjectiveSettings(availability=0.999, latency={"p95": 0.45, "p99": 2.0})) == {
        ("viridian_objective_availability_ratio",): 0.999,
        ("viridian_objective_slow_ratio", "0.5"): 0.05,
        ("viridian_objective_slow_ratio", "2.0"): 0.01,
    }


def test_of_two_percentiles_with_one_bucket_the_stricter_counts() -> None:
    assert page(ObjectiveSettings(latency={"p99": 0.42, "p95": 0.5})) == {
        ("viridian_objective_availability_ratio",): 0.99,
        ("viridian_objective_slow_ratio", "0.5"): 0.01,
    }


def test_a_bound_beyond_the_grid_is_its_last_bucket() -> None:
    assert ("viridian_objective_slow_ratio", "60.0") in page(ObjectiveSettings(latency={"p95": 100.0}))
