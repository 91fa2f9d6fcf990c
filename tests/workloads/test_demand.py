"""What pods reserve, and what that costs."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.workloads.children import render

from viridian.api.names import Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.demand import CostSettings, Demand
from viridian.workloads.owner import Owner

GIB = 2**30


def container(cpu: str = "", memory: str = "", gpu: str = "", kind: str = "requests", **more: Any) -> dict[str, Any]:
    named = {"cpu": cpu, "memory": memory, "nvidia.com/gpu": gpu}
    return {"resources": {kind: {name: value for name, value in named.items() if value}}, **more}


@pytest.mark.parametrize(
    ("pod", "demand"),
    [
        ({}, Demand()),
        ({"containers": [{"name": "a"}]}, Demand()),
        ({"containers": [container("100m", "256Mi"), container("1", "768Mi")]}, Demand(1.1, GIB)),
        ({"containers": [container("2", "1Gi", "1", kind="limits")]}, Demand(2, GIB, 1)),
        (
            {"containers": [{"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "4", "amd.com/gpu": "2"}}}]},
            Demand(1, 0, 2),
        ),
        ({"containers": [container("1")], "initContainers": [container("3", "1Gi"), container("2")]}, Demand(3, GIB)),
        (
            {"containers": [container("1")], "initContainers": [container("500m", restartPolicy="Always")]},
            Demand(1.5),
        ),
        ({"containers": [{"resources": {"requests": {"nvidia.com/mig-1g.5gb": "1"}}}]}, Demand()),
        (
            {"containers": [container("1")], "nodeSelector": {"pool": "gpu", "arch": "arm64"}},
            Demand(1, node_labels=(("arch", "arm64"), ("pool", "gpu"))),
        ),
    ],
)
def test_a_pod_reserves_what_the_scheduler_counts(pod: dict[str, Any], demand: Demand) -> None:
    assert Demand.of(pod) == demand


def test_a_model_s_own_pods_are_read() -> None:
    # given
    spec = ModelDeploymentSpec.model_validate(
        {
            "model": {"version": "v1", "uri": "image:///models/iris/v1"},
            "serving": {
                "triton": {"resources": {"requests": {"cpu": "2", "memory": "3Gi"}}},
                "api": {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
                "podTemplate": {"nodeSelector": {"pool": "spot"}},
            },
        }
    )
    # when
    deployment = render(spec, Owner("iris", "ml", "uid")).deployments[Color.BLUE]
    # then
    demand = Demand.of(deployment["spec"]["template"]["spec"])
    assert demand == Demand(2.5, 4 * GIB, 0, (("pool", "spot"),))


PRICES = CostSettings.model_validate(
    {
        "currency": "EUR",
        "cpuHour": 0.03,
        "gibHour": 0.004,
        "gpuHour": 0.7,
        "nodes": [
            {"labels": {"pool": "spot", "arch": "arm64"}, "cpuHour": 0.005},
            {"labels": {"pool": "spot"}, "cpuHour": 0.01},
        ],
    }
)


@pytest.mark.parametrize(
    ("demand", "cost"),
    [
        (Demand(), 0),
        (Demand(2, 8 * GIB, 1), 2 * 0.03 + 8 * 0.004 + 0.7),
        (Demand(2, GIB, node_labels=(("pool", "spot"), ("zone", "a"))), 2 * 0.01),
        (Demand(2, node_labels=(("arch", "arm64"), ("pool", "spot"))), 2 * 0.005),
        (Demand(2, node_labels=(("pool", "other"),)), 2 * 0.03),
    ],
)
def test_prices_of_the_nodes_that_a_pod_asks_for_win(demand: Demand, cost: float) -> None:
    assert PRICES.per_hour(demand) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("prices", "is_set"),
    [
        ({}, False),
        ({"currency": "EUR", "cpuHour": 0}, False),
        ({"gpuHour": 1}, True),
        ({"nodes": [{"labels": {"a": "b"}, "gibHour": 1}]}, True),
    ],
)
def test_without_a_price_nothing_has_a_cost(prices: dict[str, Any], is_set: bool) -> None:
    assert CostSettings.model_validate(prices).is_set is is_set


@pytest.mark.parametrize(
    "prices", [{"cpuHour": -1}, {"cpuHour": "dear"}, {"currency": "€"}, {"nodes": [{"labels": {}}]}]
)
def test_what_is_no_price_is_refused(prices: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CostSettings.model_validate(prices)
