"""CPU and memory of the containers: what a model says, and what the operator's configuration adds to it."""

from collections.abc import Mapping

from viridian.api.base import ApiModel
from viridian.api.quantities import parse_quantity
from viridian.api.serving import Resources


class DefaultResources(ApiModel):
    """What containers get of the resources of which their model says nothing."""

    triton: Resources = Resources()
    api: Resources = Resources()


def with_defaults(wanted: Resources, defaults: Resources) -> Resources:
    """What a container asks for.

    A resource that the model names, in a request or in a limit, is the model's affair as a whole: a default request
    beside a lower limit would be refused, and one beside a limit alone would lower the request that follows from it.
    """
    named = wanted.requests.keys() | wanted.limits.keys()
    return Resources(
        requests={**_without(defaults.requests, named), **wanted.requests},
        limits={**_without(defaults.limits, named), **wanted.limits},
    )


def check_resources(resources: Resources) -> None:
    """Check what no API server has checked.

    Raises:
        ValueError: a quantity is none, or a request is above the limit of the same name.
    """
    requests = {name: parse_quantity(request) for name, request in resources.requests.items()}
    limits = {name: parse_quantity(limit) for name, limit in resources.limits.items()}
    for name in requests.keys() & limits.keys():
        if requests[name] > limits[name]:
            above = f"{resources.requests[name]}, is above its limit, {resources.limits[name]}"
            raise ValueError(f"the request of {name}, {above}: lower it, or raise the limit")


def _without(quantities: Mapping[str, str | int], names: set[str]) -> dict[str, str | int]:
    return {name: quantity for name, quantity in quantities.items() if name not in names}
