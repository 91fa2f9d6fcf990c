"""What a rollout needs at its widest: both versions at full size, until the old one has drained."""

import re
from dataclasses import dataclass
from typing import Final

from viridian.api.serving import Container
from viridian.api.spec import ModelDeploymentSpec

_CPU: Final = re.compile(r"([0-9]*\.?[0-9]+)(m|)")


@dataclass(frozen=True)
class Capacity:
    """Pods and processors.

    Attributes:
        pods: Of both versions together.
        cpu: Cores that they request; None where a container requests none.
    """

    pods: int
    cpu: float | None


def widest(spec: ModelDeploymentSpec) -> Capacity:
    """Return what a rollout needs at most. With autoscaling, that is twice the most pods of a version."""
    scaling = spec.serving.autoscaling
    pods = 2 * (spec.serving.replicas if scaling is None else scaling.max_replicas)
    cores = [_cores(container) for container in (spec.serving.api, spec.serving.triton)]
    known = [each for each in cores if each is not None]
    return Capacity(pods, pods * sum(known) if len(known) == len(cores) else None)


def _cores(container: Container) -> float | None:
    """What a container requests; a limit alone is the request too, as Kubernetes has it."""
    resources = container.resources
    match = _CPU.fullmatch(str(resources.requests.get("cpu", resources.limits.get("cpu", ""))))
    return None if match is None else float(match[1]) / (1000 if match[2] else 1)
