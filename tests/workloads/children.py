"""All children of one model, as the operator makes them for one revision: blue serves, green is empty."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from viridian.api.names import Color, revision_name
from viridian.api.revision import Revision, RevisionInput
from viridian.api.spec import ModelDeploymentSpec
from viridian.traffic.route import build_route, build_route_spec
from viridian.workloads.checks import build_check_job
from viridian.workloads.deployments import build_deployment
from viridian.workloads.kept import build_kept_job
from viridian.workloads.live_settings import asks_for_live_settings, build_live_settings
from viridian.workloads.owner import Owner, build_metadata
from viridian.workloads.pod import PodDefaults, build_pod_template
from viridian.workloads.resources import DefaultResources
from viridian.workloads.revisions import build_controller_revision
from viridian.workloads.scaling import build_autoscaler, build_budget
from viridian.workloads.services import build_color_service, build_stable_service

CHART = Path(__file__).parents[2] / "charts" / "viridian" / "values.yaml"
DEFAULTS = PodDefaults(
    serving_image="registry.example.com/viridian/serving:1.0.0",
    scrape_interval=timedelta(seconds=15),
    resources=DefaultResources.model_validate(yaml.safe_load(CHART.read_text())["serving"]["defaultResources"]),
)
OWNER = Owner("iris", "default", "6a1f0c52-0000-4000-8000-000000000000")


@dataclass(frozen=True)
class Rendered:
    """A revision of a model with everything that belongs to it."""

    revision: Revision
    controller_revision: dict[str, Any]
    deployments: dict[Color, dict[str, Any]]
    services: list[dict[str, Any]]
    budgets: list[dict[str, Any]]
    live_settings: list[dict[str, Any]]
    autoscalers: list[dict[str, Any]]
    routes: list[dict[str, Any]]
    checks: list[dict[str, Any]]

    @property
    def manifests(self) -> list[dict[str, Any]]:
        return [
            self.controller_revision,
            *self.deployments.values(),
            *self.services,
            *self.budgets,
            *self.live_settings,
            *self.autoscalers,
            *self.routes,
            *self.checks,
        ]


def revision_of(spec: ModelDeploymentSpec, owner: Owner = OWNER, number: int = 1) -> Revision:
    """The revision that a spec asks for."""
    name, wanted = revision_name(owner.name, number), RevisionInput.of(spec)
    return Revision(name, number, wanted, build_pod_template(owner.name, name, wanted, DEFAULTS))


def render(spec: ModelDeploymentSpec, owner: Owner = OWNER) -> Rendered:
    """All children of a model whose first revision serves from blue."""
    revision = revision_of(spec, owner)
    replicas = {Color.BLUE: spec.serving.replicas, Color.GREEN: 0}
    blue = {Color.BLUE: 100, Color.GREEN: 0}
    route = build_route_spec(owner.name, spec.traffic, spec.serving.timeout, blue, blue)
    return Rendered(
        revision=revision,
        controller_revision=build_controller_revision(owner, revision),
        deployments={color: build_deployment(owner, color, revision, replicas[color]) for color in Color},
        services=[
            *(build_color_service(owner, color) for color in Color),
            build_stable_service(owner, Color.BLUE),
        ],
        budgets=[build_budget(owner, color) for color in Color],
        live_settings=[build_live_settings(owner, spec)] if asks_for_live_settings(spec) else [],
        autoscalers=[
            build_autoscaler(owner, Color.BLUE, fewest=s.min_replicas, most=s.max_replicas, cpu_percent=s.cpu_percent)
            for s in ([spec.serving.autoscaling] if spec.serving.autoscaling is not None else [])
        ],
        routes=[build_route(build_metadata(owner, owner.name), route)] if spec.has_route else [],
        checks=[
            *(build_check_job(owner, Color.GREEN, revision, name, spec, has_stable=True) for name in spec.checks.names),
            *([build_kept_job(owner, revision, "1130061200")] if spec.checks.kept is not None else []),
        ],
    )
