"""`spec.rollout`: how a new revision takes over."""

import math
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from .base import ApiModel
from .quantities import Duration, Percent, parse_percent


class RolloutType(StrEnum):
    """How traffic moves to a new revision."""

    CANARY = "Canary"
    BLUE_GREEN = "BlueGreen"


class Approval(StrEnum):
    """Where a rollout waits for an approval."""

    NONE = "None"
    BEFORE_TRAFFIC = "BeforeTraffic"
    BEFORE_PROMOTION = "BeforePromotion"
    WITHOUT_FALLBACK = "WithoutFallback"


_ONE_OF = "write either weight or shadow: a step gives the candidate its own requests, or copies of stable's"


class Step(ApiModel):
    """One step of the walk of weights, or one before it in which the candidate gets copies of stable's requests."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [{"rule": "has(self.weight) != has(self.shadow)", "message": _ONE_OF}]
        }
    )

    weight: Annotated[
        int | None, Field(ge=1, le=100, description="Share of the traffic for the candidate, in percent.")
    ] = None
    shadow: Annotated[
        Percent | None,
        Field(
            description="Instead of a weight: the share of stable's requests of which the candidate gets copies. Users"
            " get stable's answers alone; the candidate's are compared with them."
        ),
    ] = None
    hold: Annotated[Duration, Field(description="How long the guards watch this step before the next one.")]
    min_requests: Annotated[
        int,
        Field(
            ge=0,
            le=10_000_000,
            description="Fewest requests that the candidate must have answered in this step.",
        ),
    ] = 0

    @property
    def share(self) -> int:
        """The candidate's share of the traffic in the route, in percent: none while it gets copies."""
        return self.weight or 0

    @property
    def load(self) -> int:
        """What reaches the candidate's pods, as a share of the traffic in whole percent, rounded up."""
        return self.share or math.ceil(100 * parse_percent(self.shadow or "100%"))

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Step":
        if (self.weight is None) == (self.shadow is None):
            raise ValueError(_ONE_OF)
        return self


class PromotionWatch(ApiModel):
    """The time after the promotion in which a small control stays on the old version and the guards stay on."""

    duration: Annotated[Duration, Field(description="How long the promoted version is watched.")] = "72h"
    holdback: Annotated[
        int,
        Field(
            ge=1,
            le=50,
            description="Share that stays on the old version, as a control, in percent; at most bake.holdback.",
        ),
    ] = 1


class Bake(ApiModel):
    """The time after the last step in which the old color stays warm and the guards stay on."""

    duration: Annotated[Duration, Field(description="How long to bake before the roles are swapped.")] = "10m"
    holdback: Annotated[
        int,
        Field(ge=1, le=50, description="Share that stays on the old color during the bake, as a control, in percent."),
    ] = 5
    watch: Annotated[
        PromotionWatch | None,
        Field(
            description="Go on after the promotion: a few pods stay on the old version as a control, and all traffic"
            " goes back to it when a guard finds the new one worse. Needs traffic.parentRefs."
        ),
    ] = None


_WEIGHTS = "self.steps.filter(s, has(s.weight)).map(s, s.weight)"
_SORTED = f"{_WEIGHTS}.isSorted() && {_WEIGHTS}.all(w, {_WEIGHTS}.exists_one(v, v == w))"


def _usual_steps() -> list[Step]:
    return [Step(weight=5, hold="2m"), Step(weight=25, hold="5m"), Step(weight=50, hold="5m")]


class Rollout(ApiModel):
    """How a new revision takes over."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": _SORTED,
                    "message": "the weights must increase from step to step: sort the steps and write each weight once",
                    "fieldPath": ".steps",
                },
                {
                    "rule": "self.steps.map(s, has(s.weight)).isSorted()",
                    "message": "steps with shadow come before those with a weight: once users are on the candidate,"
                    " copies tell nothing new",
                    "fieldPath": ".steps",
                },
                {
                    "rule": "self.steps.all(s, !has(s.weight) || s.weight <= 100 - self.bake.holdback)",
                    "message": "a step may not be above 100 minus bake.holdback: the bake keeps that share on the old"
                    " color as a control; lower the weight of the last step, or the holdback",
                    "fieldPath": ".steps",
                },
                {
                    "rule": "!has(self.bake.watch) || self.bake.watch.holdback <= self.bake.holdback",
                    "message": "the watch may not keep more on the old version than the bake: lower"
                    " bake.watch.holdback, or raise bake.holdback",
                    "fieldPath": ".bake.watch.holdback",
                },
            ]
        }
    )

    type: Annotated[
        RolloutType | None,
        Field(
            description="Canary walks through the steps; BlueGreen moves all traffic but the holdback at once, and"
            " leaves the steps out. Default: Canary with traffic.parentRefs, else BlueGreen."
        ),
    ] = None
    approval: Annotated[
        Approval,
        Field(
            description="Wait for the command approve before the first user's request (BeforeTraffic), or only where"
            " stable cannot answer what the candidate fails (WithoutFallback, which needs traffic.parentRefs), or after"
            " the bake (BeforePromotion); the deadline's clock stands still meanwhile."
        ),
    ] = Approval.NONE
    steps: Annotated[
        list[Step],
        Field(
            min_length=1,
            max_length=20,
            description="The weights of a Canary's candidate, one after the other; steps with shadow come first.",
        ),
    ] = Field(default_factory=_usual_steps)
    bake: Annotated[Bake, Field(description="The last check before the roles are swapped.")] = Bake()
    deadline: Annotated[
        Duration,
        Field(description="A rollout that has not been promoted by then goes back to stable, phase Expired."),
    ] = "2h"
    max_starting: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="The most pods of the candidate that start at the same time; the next ones follow as those"
            " become ready. For nodes that are tight: a model that loads takes CPU from those that serve. Default: as"
            " many as its weight needs.",
        ),
    ] = None
    drain_max: Annotated[
        Duration, Field(description="How long a color without weight is kept for requests that still arrive, at most.")
    ] = "60s"

    @model_validator(mode="after")
    def _weights_increase(self) -> "Rollout":
        weights = [step.weight for step in self.steps if step.weight is not None]
        if any(step.weight is not None and later.shadow is not None for step, later in pairwise(self.steps)):
            raise ValueError("rollout.steps: steps with shadow come before those with a weight")
        if weights != sorted(set(weights)):
            raise ValueError("rollout.steps: the weights must increase from step to step")
        if weights and weights[-1] > 100 - self.bake.holdback:
            raise ValueError("rollout.steps: a step may not be above 100 minus bake.holdback")
        if self.bake.watch is not None and self.bake.watch.holdback > self.bake.holdback:
            raise ValueError("rollout.bake.watch.holdback: may not be above bake.holdback")
        return self
