"""What a user writes: the spec of a ModelDeployment."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from viridian_shared.durations import PATTERN as DURATION
from viridian_shared.durations import parse_duration

from .base import ApiModel
from .checks import Checks
from .drill import Drill
from .guards import Guards
from .model import ModelSource
from .notify import Receiver
from .objectives import Objectives
from .rollout import Approval, Rollout, RolloutType
from .serving import Serving
from .traffic import Traffic

_IS_CANARY = "(has(self.rollout.type) ? self.rollout.type == 'Canary' : self.traffic.parentRefs.size() > 0)"
_FITS = (
    # What is no duration has its own message; here it would only be an error of the rule.
    f"!self.rollout.steps.all(s, s.hold.matches(r'{DURATION.pattern}'))"
    f" || ![self.rollout.bake.duration, self.rollout.deadline].all(d, d.matches(r'{DURATION.pattern}'))"
    " || duration(self.rollout.bake.duration)"
    f" + ({_IS_CANARY} ? self.rollout.steps.map(s, duration(s.hold)).sum() : duration('0s'))"
    " < duration(self.rollout.deadline)"
)


class ModelDeploymentSpec(ApiModel):
    """A machine-learning model, how it is served, and how a new version takes over."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": _FITS,
                    "message": "the holds of all steps and the bake do not fit into the deadline: raise the deadline or"
                    " shorten the holds",
                    "fieldPath": ".rollout.deadline",
                },
                {
                    "rule": f"!{_IS_CANARY} || self.traffic.parentRefs.size() > 0",
                    "message": "Canary splits the traffic at a gateway: name one in traffic.parentRefs, or write type:"
                    " BlueGreen",
                    "fieldPath": ".rollout.type",
                },
                {
                    "rule": f"{_IS_CANARY} || self.rollout.steps.all(s, !has(s.shadow))",
                    "message": "steps with shadow are a Canary's: stable's pods learn of them by the route; name a"
                    " gateway in traffic.parentRefs and write type: Canary, or leave them out",
                    "fieldPath": ".rollout.steps",
                },
                {
                    "rule": "self.rollout.approval != 'WithoutFallback' || self.traffic.parentRefs.size() > 0",
                    "message": "WithoutFallback waits where stable cannot answer for a candidate, and without a gateway"
                    " it never does: name one in traffic.parentRefs, or write BeforeTraffic",
                    "fieldPath": ".rollout.approval",
                },
                {
                    "rule": "!has(self.rollout.bake.watch) || self.traffic.parentRefs.size() > 0",
                    "message": "a watch compares two versions that share the traffic, and without a gateway they never"
                    " do: name one in traffic.parentRefs, or leave bake.watch out",
                    "fieldPath": ".rollout.bake.watch",
                },
                {
                    "rule": "self.traffic.pins.size() == 0 || self.traffic.parentRefs.size() > 0",
                    "message": "pins are rules of a gateway: name one in traffic.parentRefs, or leave the pins out",
                    "fieldPath": ".traffic.pins",
                },
            ]
        }
    )

    model: Annotated[ModelSource, Field(description="Which model to serve.")]
    serving: Annotated[Serving, Field(description="How the model is served.")] = Serving()
    traffic: Annotated[Traffic, Field(description="Where requests come from.")] = Traffic()
    rollout: Annotated[Rollout, Field(description="How a new revision takes over.")] = Rollout()
    checks: Annotated[Checks, Field(description="What a candidate must pass before any traffic.")] = Checks()
    guards: Annotated[Guards, Field(description="When a candidate is rolled back.")] = Guards()
    notify: Annotated[list[Receiver], Field(max_length=8, description="Who is notified of this model's rollouts.")] = (
        Field(default_factory=list)
    )
    objectives: Annotated[
        Objectives | None,
        Field(
            description="What alerts expect of the model; absent: availability 99% and a p95 of 500ms. A change makes"
            " no new revision."
        ),
    ] = None
    drill: Annotated[
        Drill | None,
        Field(
            description="Exercises that show how fast a bad version is turned back; absent: only by the command drill."
            " A change makes no new revision."
        ),
    ] = None
    revision_history_limit: Annotated[
        int, Field(ge=1, le=50, description="Old revisions to keep beside those in use.")
    ] = 5

    @property
    def has_route(self) -> bool:
        """Whether a gateway splits the traffic; else the Service NAME is all there is (service mode)."""
        return bool(self.traffic.parent_refs)

    @property
    def is_canary(self) -> bool:
        """Whether weights walk through the steps."""
        kind = self.rollout.type
        return self.has_route if kind is None else kind is RolloutType.CANARY

    @model_validator(mode="after")
    def _fits_together(self) -> "ModelDeploymentSpec":
        if self.is_canary and not self.has_route:
            raise ValueError("rollout.type: Canary splits the traffic at a gateway: name one in traffic.parentRefs")
        if not self.is_canary and any(step.shadow is not None for step in self.rollout.steps):
            raise ValueError("rollout.steps: steps with shadow are a Canary's: name a gateway in traffic.parentRefs")
        if self.rollout.approval is Approval.WITHOUT_FALLBACK and not self.has_route:
            raise ValueError("rollout.approval: WithoutFallback needs a gateway: name one in traffic.parentRefs")
        if self.rollout.bake.watch is not None and not self.has_route:
            raise ValueError("rollout.bake.watch: needs a gateway: name one in traffic.parentRefs")
        if self.traffic.pins and not self.has_route:
            raise ValueError("traffic.pins: pins are rules of a gateway: name one in traffic.parentRefs")
        holds = [parse_duration(step.hold) for step in self.rollout.steps] if self.is_canary else []
        if sum(holds, parse_duration(self.rollout.bake.duration)) >= parse_duration(self.rollout.deadline):
            raise ValueError("rollout.deadline: the holds of all steps and the bake do not fit into it")
        return self
