"""What a pod reserves of its node, and what that costs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import Field

from viridian.api.base import ApiModel
from viridian.api.quantities import parse_quantity

_GIB: Final = 2**30
_RESOURCES: Final = ("cpu", "memory")
_GPU: Final = "/gpu"
"""How the resource of a whole GPU ends: nvidia.com/gpu, amd.com/gpu. Parts of one (MIG) have other names."""

Price = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
"""Of a unit for an hour, in the currency of all prices."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one pod reserves, in CPU cores, bytes and GPUs, and the labels of a node that it asks for."""

    cpu: float = 0.0
    memory: float = 0.0
    gpus: float = 0.0
    node_labels: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, pod: Mapping[str, Any]) -> "Demand":
        """Read the spec of a pod.

        As the scheduler does: containers run together, and an init container alone before them, so that the largest
        one counts where it is larger than those; one that restarts always runs beside them
        (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers). A limit without a request is the request.
        """
        inits = pod.get("initContainers") or []
        sidecars = [each for each in inits if each.get("restartPolicy") == "Always"]
        together = [*(pod.get("containers") or []), *sidecars]
        cpu, memory, gpus = (
            max(_sum(together, name), _most((each for each in inits if each not in sidecars), name))
            for name in (*_RESOURCES, _GPU)
        )
        return _interned(cls(cpu, memory, gpus, tuple(sorted((pod.get("nodeSelector") or {}).items()))))


NO_DEMAND: Final = Demand()


class Prices(ApiModel):
    """What a core, a GiB and a GPU cost for an hour."""

    cpu_hour: Price = 0.0
    gib_hour: Price = 0.0
    gpu_hour: Price = 0.0

    def of(self, demand: Demand) -> float:
        """Return what a pod costs for an hour."""
        return demand.cpu * self.cpu_hour + demand.memory / _GIB * self.gib_hour + demand.gpus * self.gpu_hour


class NodePrices(Prices):
    """Prices of the nodes that have some labels."""

    labels: Annotated[dict[str, str], Field(min_length=1)]


class CostSettings(Prices):
    """The prices of an installation; those of nodes win, the first one whose labels a pod asks for."""

    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{0,8}$")] = ""
    nodes: tuple[NodePrices, ...] = ()

    @property
    def is_set(self) -> bool:
        """Whether there is any price."""
        return any(each.cpu_hour or each.gib_hour or each.gpu_hour for each in (self, *self.nodes))

    def per_hour(self, demand: Demand) -> float:
        """Return what a pod costs for an hour on the nodes that it asks for."""
        wanted = set(demand.node_labels)
        prices = next((each for each in self.nodes if each.labels.items() <= wanted), self)
        return prices.of(demand)


def _sum(containers: Iterable[Mapping[str, Any]], name: str) -> float:
    return sum(_request(each, name) for each in containers)


def _most(containers: Iterable[Mapping[str, Any]], name: str) -> float:
    return max((_request(each, name) for each in containers), default=0.0)


def _request(container: Mapping[str, Any], name: str) -> float:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    named = {key: quantity for key, quantity in asked.items() if (key.endswith(_GPU) if name == _GPU else key == name)}
    return sum(_number(str(quantity)) for quantity in named.values())


@lru_cache(maxsize=1024)
def _number(quantity: str) -> float:
    try:
        return float(parse_quantity(quantity))
    except ValueError:  # with an exponent, which the API server takes and nobody writes
        return 0.0


@lru_cache(maxsize=4096)
def _interned(demand: Demand) -> Demand:
    """Return one object for all equal ones: most of ten thousand models have the resources of the defaults."""
    return demand
