"""A pod counts what users send and get on the bins of the baseline beside its model."""

import json
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.pod import Pod, post_many, running_pod

pytestmark = pytest.mark.serving

BASELINE = {
    "rows": 4,
    "features": {
        "age": {"edges": [30, 40], "counts": [1, 2, 1], "low": 18, "high": 60, "missing": 0},
        "city": {"categories": {"Basel": 3, "Köln": 1}, "missing": 0},
    },
    "predictions": {"label": {"categories": {"none": 2, "small": 1, "large": 1}, "missing": 0}},
}


def customers(directory: Path) -> None:
    models.customers(directory)
    (directory / "baseline.json").write_text(json.dumps(BASELINE))


def counted(pod: Pod) -> dict[tuple[str, str, str], float]:
    names = ("kind", "variable", "bin")
    found = pod.samples("viridian_drift_observed")
    return {(*(each.labels[name] for name in names),): each.value for each in found if each.value}


async def test_only_users_requests_are_counted_on_the_bins_of_the_baseline(tmp_path: Path) -> None:
    # given
    with running_pod(tmp_path, customers) as pod:
        # when
        bodies = [models.CUSTOMER | {"age": age, "city": city} for age, city in ((44, "Köln"), (61, "Graz"))]
        answers = await post_many(pod, bodies, Viridian_Via="split")
        await post_many(pod, bodies, Viridian_Via="check")
        # then
        [label] = {answer.json["prediction"] for answer in answers}
        assert counted(pod) == {
            ("feature", "age", "40..60"): 1,
            ("feature", "age", "above"): 1,
            ("feature", "city", "Köln"): 1,
            ("feature", "city", "other"): 1,
            ("prediction", "label", label): 2,
        }
