"""All that can carry the traffic of a model, and which of it does."""

from viridian.api.spec import ModelDeploymentSpec

from .gateway import GatewayRouter
from .router import TrafficRouter
from .service import ServiceRouter

GATEWAY_ROUTER: TrafficRouter = GatewayRouter()
SERVICE_ROUTER: TrafficRouter = ServiceRouter()
ROUTERS = (GATEWAY_ROUTER, SERVICE_ROUTER)
"""Each spec has exactly one of them. They keep nothing."""


def router_of(spec: ModelDeploymentSpec) -> TrafficRouter:
    """What carries the traffic of a spec."""
    return next(router for router in ROUTERS if router.carries(spec))
