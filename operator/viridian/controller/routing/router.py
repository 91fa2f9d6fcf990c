"""What every carrier of traffic has to do. Another one, such as a mesh's, is one more module, named in `ROUTERS`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from viridian.api.names import Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.controller.cache.models import Model
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import Kind
from viridian.rollout.observed import RouteFacts
from viridian.traffic.route import Weights

Parents = Mapping[tuple[str, str], Manifest]
"""What a carrier hangs on, such as Gateways, by namespace and name, as far as it exists."""


@dataclass(frozen=True)
class Site:
    """Where a write goes: to one model, through a client, in a term of leadership."""

    client: KubeClient
    model: Model
    epoch: str


@dataclass(frozen=True)
class Split:
    """How the traffic is to be split.

    `weights` are those of the split and `pins` those of the rules for pinned users, in percent; a request may take
    `timeout`; `aborted` names the revision whose rollback this is; `shadow` is what stable's pods mirror, if anything.
    """

    weights: Weights
    pins: Weights
    timeout: str
    aborted: str | None = None
    shadow: str | None = None


class TrafficRouter(Protocol):
    """One kind of object that carries the traffic of a model. It has the model's name; it is `live` as it was read."""

    @property
    def kind(self) -> Kind:
        """The kind of that object."""

    @property
    def is_dedicated(self) -> bool:
        """Whether the object has no other purpose, so that it goes when something else carries the traffic."""

    def carries(self, spec: ModelDeploymentSpec) -> bool:
        """Whether this is what carries the traffic of a spec."""

    async def find_parents(self, client: KubeClient, model: Model) -> Parents:
        """What the object of a model hangs on.

        Raises:
            KubeError: the API refuses or does not answer.
        """

    def missing_parent(self, model: Model, parents: Parents) -> str | None:
        """A sentence about the first parent that is not there, naming the field; None when all are."""

    def read(
        self, model: Model, live: Manifest | None, timeout: str | None, parents: Parents | None = None
    ) -> RouteFacts | None:
        """What the object says; None where it carries nothing.

        Args:
            model: as it was last seen.
            live: the object.
            timeout: how long a request should be allowed to take; None where that is not known, and any is fine.
            parents: with them, their refusal can be told in full.
        """

    def is_at_rest(self, model: Model, stable: Color, live: Manifest) -> bool:
        """Whether everything goes to stable, as the spec of a model at rest has it."""

    async def move(self, site: Site, live: Manifest | None, split: Split) -> None:
        """Bring all rules to new weights in one write; makes the object when it is not there.

        Raises:
            Conflict: somebody wrote in between; read again and decide again.
            NotLeading: somebody has led since our term.
            KubeError: the API refuses or does not answer.
        """

    async def follow(self, site: Site, live: Manifest, pins: Weights, longest: str) -> None:
        """Bring everything but the split to what the spec says now.

        Args:
            site: where it is written.
            live: the object.
            pins: weights of the rules for pinned users, in percent.
            longest: how long a request may take; that is the revisions' own affair.

        Raises:
            Conflict: somebody wrote in between; read again and decide again.
            NotLeading: somebody has led since our term.
            KubeError: the API refuses or does not answer.
        """

    async def fence(self, site: Site, live: Manifest) -> None:
        """Let what earlier leaders would write over this object come too late.

        Raises:
            Conflict: somebody wrote in between; read again.
            KubeError: the API refuses or does not answer.
        """

    async def roll_back(self, site: Site, stable: Color, revision: str) -> bool:
        """All traffic to stable at once, with the mark that this revision was aborted.

        This is the one write that the ticker makes itself, so it reads the object afresh.

        Returns:
            Whether there is an object of ours to move.

        Raises:
            NotLeading: somebody has led since our term.
            KubeError: it could not be written.
        """
