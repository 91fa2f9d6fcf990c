"""Where there is no gateway: the Service NAME carries all traffic, and its selector is what moves it."""

from viridian.api.names import ANNOTATION_ABORTED, Color
from viridian.api.spec import ModelDeploymentSpec
from viridian.controller.cache.models import Model
from viridian.controller.children.conformance import is_as_made, selected_by
from viridian.controller.children.writes import write
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import SERVICE, Kind
from viridian.rollout.observed import RouteFacts
from viridian.traffic.route import Weights
from viridian.workloads.owner import stamp
from viridian.workloads.services import build_stable_service

from .router import Parents, Site, Split, TrafficRouter


class ServiceRouter(TrafficRouter):
    """The Service NAME. It selects one color: no split, no pins, no timeout; and callers always want it."""

    kind: Kind = SERVICE
    is_dedicated: bool = False

    def carries(self, spec: ModelDeploymentSpec) -> bool:
        """Whether no Gateway is named."""
        return not spec.has_route

    async def find_parents(self, client: KubeClient, model: Model) -> Parents:
        """It hangs on nothing."""
        return {}

    def missing_parent(self, model: Model, parents: Parents) -> str | None:
        """None."""
        return None

    def read(
        self,
        model: Model,
        live: Manifest | None,
        timeout: str | None,
        parents: Parents | None = None,
    ) -> RouteFacts | None:
        """The Service as what it is here: one rule, with all the weight on the color that it selects."""
        color = selected_by(live)
        if live is None or color is None:
            return None
        follows = selected(model, live) is not None
        return RouteFacts(rules=({color: 100, color.other: 0},), aborted=_aborted(live), follows_spec=follows)

    def is_at_rest(self, model: Model, stable: Color, live: Manifest) -> bool:
        """Whether it selects stable, as we made it."""
        return selected(model, live) is stable

    async def move(self, site: Site, live: Manifest | None, split: Split) -> None:
        """Let it select the color with the greater weight."""
        color = max(split.weights, key=lambda color: split.weights[color])
        wanted = build_stable_service(site.model.owner, color, split.aborted)
        await write(site.client, SERVICE, wanted, live, site.epoch)

    async def follow(self, site: Site, live: Manifest, pins: Weights, longest: str) -> None:
        """Make it anew as it should be, with the color that it selects."""
        color = selected_by(live)
        if color is not None:
            wanted = build_stable_service(site.model.owner, color, _aborted(live))
            await write(site.client, SERVICE, wanted, live, site.epoch)

    async def fence(self, site: Site, live: Manifest) -> None:
        """Let what earlier leaders would write over this Service come too late."""
        await site.client.replace(SERVICE, stamp(live, site.epoch))

    async def roll_back(self, site: Site, stable: Color, revision: str) -> bool:
        """Let it select stable again; where somebody wrote in between, the next tick tries again."""
        live = await site.client.get(SERVICE, *site.model.key)
        if live is None or site.model.reference_in(live) is None:
            return False
        facts = self.read(site.model, live, None)
        if facts is None or facts.aborted != revision or facts.split(stable) != 100:
            await write(
                site.client, SERVICE, build_stable_service(site.model.owner, stable, revision), live, site.epoch
            )
        return True


def selected(model: Model, service: Manifest | None) -> Color | None:
    """The color that NAME selects; none if somebody made anything else of it."""
    if service is None:
        return None
    made = (color for color in Color if is_as_made(service, build_stable_service(model.owner, color)))
    return next(made, None)


def _aborted(service: Manifest) -> str | None:
    aborted: str | None = (service["metadata"].get("annotations") or {}).get(ANNOTATION_ABORTED)
    return aborted
