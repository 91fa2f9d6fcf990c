"""Every write of a model's HTTPRoute, as it happens."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from .background import Background
from .cluster import Cluster

_BACKENDS = ".spec.rules[0].backendRefs[*]"
# Without a range: kubectl stumbles over one when it prints the second object of a watch.
_LINE = rf'jsonpath={{.metadata.annotations.viridian\.dev/seq}} {{{_BACKENDS}.name}} {{{_BACKENDS}.weight}}{{"\n"}}'


@dataclass(frozen=True)
class Written:
    """What the operator left in the route: its sequence number, and the weights by color."""

    seq: int
    weights: dict[str, int]

    @classmethod
    def read(cls, line: str) -> "Written":
        """Read one line of what kubectl prints."""
        seq, *backends = line.split()
        names, weights = backends[: len(backends) // 2], backends[len(backends) // 2 :]
        colors = (name.rpartition("-")[2] for name in names)
        return cls(int(seq), dict(zip(colors, map(int, weights), strict=True)))


class RouteLog(Background):
    """Follows a route with `kubectl get --watch`."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, folder: Path) -> None:
        command = cluster.command(
            "get", "httproutes", f"--namespace={namespace}", f"--field-selector=metadata.name={name}"
        )
        super().__init__("route", (*command, "--watch", f"--output={_LINE}"), folder)

    @property
    def writes(self) -> list[Written]:
        """All writes so far; what the gateway writes into the status is none."""
        *complete, _ = self.output.read_text().split("\n")
        seen = (Written.read(line) for line in complete)
        return list({written.seq: written for written in seen}.values())

    def weights(self, color: str) -> list[int]:
        """The weights of a color in the order seen, each once for as long as it stayed."""
        return [weight for weight, _ in groupby(written.weights[color] for written in self.writes)]
