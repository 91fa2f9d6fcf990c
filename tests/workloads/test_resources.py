"""What a container asks for when its model does not say it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from tests.workloads.children import revision_of
from tests.workloads.specs import specs

from viridian.api.quantities import parse_quantity
from viridian.api.revision import RevisionInput
from viridian.api.serving import Resources
from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.pod import PodDefaults, build_pod_template
from viridian.workloads.resources import DefaultResources, check_resources, with_defaults

SMALL = Resources(requests={"cpu": "100m", "memory": "256Mi"})
BOUNDED = Resources(requests={"memory": "256Mi"}, limits={"memory": "1Gi"})


@pytest.mark.parametrize(
    ("wanted", "defaults", "expected"),
    [
        (Resources(), SMALL, SMALL),
        (SMALL, Resources(), SMALL),
        # What the model requests of one resource leaves the other to the default.
        (
            Resources(requests={"cpu": 2}),
            SMALL,
            Resources(requests={"cpu": 2, "memory": "256Mi"}),
        ),
        # A limit alone is the request, too: Kubernetes' own rule. A default request might even be above it.
        (
            Resources(limits={"memory": "64Mi"}),
            SMALL,
            Resources(requests={"cpu": "100m"}, limits={"memory": "64Mi"}),
        ),
        # A default limit never cuts what a model requests.
        (Resources(requests={"memory": "8Gi"}), BOUNDED, Resources(requests={"memory": "8Gi"})),
        # Whoever wants none says so.
        (Resources(requests={"cpu": 0, "memory": 0}), SMALL, Resources(requests={"cpu": 0, "memory": 0})),
        (
            Resources(limits={"nvidia.com/gpu": 1}),
            SMALL,
            Resources(requests=dict(SMALL.requests), limits={"nvidia.com/gpu": 1}),
        ),
    ],
)
def test_defaults_are_for_the_resources_that_a_model_does_not_name(
    wanted: Resources, defaults: Resources, expected: Resources
) -> None:
    assert with_defaults(wanted, defaults) == expected


@given(specs)
def test_defaults_are_in_new_pods_and_in_no_revision_input(spec: ModelDeploymentSpec) -> None:
    # given the input of a spec, and an operator that has defaults
    wanted = RevisionInput.of(spec)
    defaults = PodDefaults("example.com/serving:1", timedelta(seconds=15), DefaultResources(triton=BOUNDED, api=SMALL))

    # when its pods are rendered
    pods = build_pod_template("iris", "iris-1", wanted, defaults)["spec"]

    # then each container requests memory or has a limit of it, and what is compared later is as the user wrote it
    for container in (*pods.get("initContainers", []), *pods["containers"]):
        resources = container["resources"]
        assert "memory" in resources["requests"] or "memory" in resources["limits"]
    assert revision_of(spec).input == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (2, Decimal(2)),
        ("0", Decimal(0)),
        ("0.5", Decimal("0.5")),
        ("250m", Decimal("0.25")),
        ("1k", Decimal(1000)),
        ("512Mi", Decimal(512 * 1024**2)),
        ("1G", Decimal(10**9)),
        ("2Ei", Decimal(2 * 1024**6)),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str | int, value: Decimal) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "-1", "1GB", "1 Gi", "1mi", "1K", "Mi", "one", "1e3"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


def test_a_request_above_its_limit_is_refused() -> None:
    check_resources(Resources(requests={"memory": "1Gi"}, limits={"memory": "1024Mi"}))
    with pytest.raises(ValueError, match="the request of memory, 1Gi, is above its limit, 1023Mi"):
        check_resources(Resources(requests={"memory": "1Gi"}, limits={"memory": "1023Mi"}))
