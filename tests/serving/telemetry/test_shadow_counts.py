"""What stable's pods publish of copies."""

import math
from typing import Any

from viridian_serving.telemetry.shadow_counts import ShadowCounts
from viridian_shared.counts.mirrored import Mirrored


def shown(counts: ShadowCounts) -> dict[str, dict[tuple[str, ...], float]]:
    def labels(sample: Any) -> tuple[str, ...]:
        return tuple(value for name, value in sample.labels.items() if name != "model")

    families = counts.families(("model",), ("m",))
    return {family.name: {(s.name, *labels(s)): s.value for s in family.samples if s.value} for family in families}


def test_before_the_first_candidate_there_are_no_series() -> None:
    assert shown(ShadowCounts((0.1, 1.0))) == {}


def test_results_distances_and_durations_are_those_of_one_candidate() -> None:
    counts = ShadowCounts((0.1, 1.0))
    counts.begin("m-2")
    counts.count("m-2", Mirrored.AGREED)
    counts.compare("m-2", 0.03, stable=0.05, other=0.5)
    counts.count("m-2", Mirrored.DROPPED)
    found = shown(counts)
    assert found["viridian_shadow"] == {
        ("viridian_shadow_total", "m-2", "agreed"): 1,
        ("viridian_shadow_total", "m-2", "dropped"): 1,
    }
    assert found["viridian_shadow_difference"]["viridian_shadow_difference_bucket", "m-2", "0.05"] == 1
    assert ("viridian_shadow_difference_bucket", "m-2", "0.02") not in found["viridian_shadow_difference"]
    durations = found["viridian_shadow_duration_seconds"]
    assert durations["viridian_shadow_duration_seconds_bucket", "m-2", "stable", "0.1"] == 1
    assert durations["viridian_shadow_duration_seconds_sum", "m-2", "candidate"] == 0.5


def test_another_candidate_begins_anew_and_what_comes_late_of_the_one_before_is_not_its() -> None:
    counts = ShadowCounts((0.1, 1.0))
    counts.begin("m-2")
    counts.count("m-2", Mirrored.AGREED)
    counts.begin("m-3")
    counts.count("m-2", Mirrored.AGREED)
    counts.compare("m-2", 0.03, stable=0.05, other=0.5)
    assert not any(shown(counts).values())


def test_where_one_answer_is_no_number_there_is_no_distance() -> None:
    counts = ShadowCounts((0.1, 1.0))
    counts.begin("m-2")
    counts.compare("m-2", math.inf, stable=0.05, other=0.5)
    counts.compare("m-2", None, stable=0.05, other=0.5)
    assert shown(counts)["viridian_shadow_difference"] == {}
