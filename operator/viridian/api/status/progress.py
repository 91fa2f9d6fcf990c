"""Where a rollout stands: roles, the step, and what it waits for."""

import math
from typing import Annotated

from pydantic import Field

from ..names import Color
from ..quantities import parse_percent
from ..rollout import Approval
from .fields import Name, Sentence, StatusModel, Time


class ColorStatus(StatusModel):
    """One of the two roles and the color that plays it."""

    color: Annotated[Color, Field(description="The color that plays this role.")]
    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    version: Annotated[Name, Field(description="spec.model.version of that revision.")]
    weight: Annotated[int, Field(ge=0, le=100, description="Share of the traffic in the route, in percent.")] = 0
    replicas: Annotated[int, Field(ge=0, description="Pods wanted.")] = 0
    ready: Annotated[int, Field(ge=0, description="Pods ready to answer.")] = 0


class StepStatus(StatusModel):
    """The weight that the candidate is meant to have, and since when."""

    index: Annotated[int, Field(ge=1, description="Number of the step, from 1; one more than the last is the bake.")]
    count: Annotated[int, Field(ge=0, description="Number of steps in the spec; 0 for BlueGreen.")]
    progress: Annotated[str, Field(max_length=16, description="For people: 2/3 for the second of three, or bake.")] = ""
    weight: Annotated[int, Field(ge=0, le=100, description="The intended weight, in percent.")]
    shadow: Annotated[
        str | None,
        Field(max_length=8, description="The share of stable's requests that is mirrored to the candidate, if any."),
    ] = None
    intended_at: Annotated[Time, Field(description="When this weight was decided.")]
    verified_at: Annotated[
        Time | None, Field(description="When the requests were seen to be split like this; the hold runs from here.")
    ] = None
    lagging_since: Annotated[
        Time | None, Field(description="Since when the gateway was seen to split as before this step, if it was.")
    ] = None
    weight_before: Annotated[int, Field(ge=0, le=100, description="The candidate's weight before it, in percent.")] = 0
    requests_before: Annotated[
        int, Field(ge=0, description="Requests of the candidate that were counted before those that tell of this step.")
    ] = 0
    stable_requests_before: Annotated[int, Field(ge=0, description="The same of stable.")] = 0

    @property
    def load(self) -> int:
        """What reaches the candidate's pods, as a share of the traffic in whole percent, rounded up."""
        return math.ceil(100 * parse_percent(self.shadow)) if self.shadow else self.weight


class Hold(StatusModel):
    """Why the rollout waits."""

    reason: Annotated[str, Field(max_length=64, description="Why, in one word for programs.")]
    message: Annotated[Sentence, Field(description="Why, in a sentence for people.")]
    since: Annotated[Time, Field(description="When the hold began.")]


class Drain(StatusModel):
    """A color that lost its weight and still answers what arrives."""

    color: Annotated[Color, Field(description="The color that is drained.")]
    revision: Annotated[Name, Field(description="Name of its ControllerRevision.")]
    since: Annotated[Time, Field(description="When its weight became 0.")]


class WatchStatus(StatusModel):
    """The promoted version is watched: the old one keeps a small share as a control."""

    since: Annotated[Time, Field(description="When the new version was promoted.")]
    control: Annotated[ColorStatus, Field(description="The old version, to which all traffic goes back if need be.")]


class Approved(StatusModel):
    """The approval that was given."""

    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    gate: Annotated[Approval, Field(description="Which wait was ended, as in rollout.approval.")]
    by: Annotated[
        str,
        Field(
            max_length=256,
            description="Who gave the command, as its annotation command-by says; the chart's policies.commands has the"
            " API server hold that against who they are.",
        ),
    ] = ""


class Promotion(StatusModel):
    """The command promote, which takes the candidate to full traffic without waiting for holds."""

    revision: Annotated[Name, Field(description="Name of the ControllerRevision.")]
    by: Annotated[
        str, Field(max_length=256, description="Who gave the command, as its annotation command-by says.")
    ] = ""
    at: Annotated[Time, Field(description="When it was obeyed.")]


class Return(StatusModel):
    """An earlier revision that the command rollback restores, without steps and guards."""

    instead_of: Annotated[Name, Field(description="The revision that the command rolled back.")]
    generation: Annotated[int, Field(description="Generation of the spec at that time; a newer one is obeyed again.")]


class Outage(StatusModel):
    """Stable has no ready pod, so the candidate answers in its place."""

    since: Annotated[Time, Field(description="Since when stable has had no ready pod.")]
    failed_over_at: Annotated[
        Time | None, Field(description="When the candidate was given all traffic for it; unset within the grace.")
    ] = None
    ready_since: Annotated[Time | None, Field(description="Since when stable has been ready again.")] = None


class Shortfall(StatusModel):
    """The candidate has fewer ready pods than its weight needs."""

    weight: Annotated[int, Field(ge=0, le=100, description="The weight that its ready pods carry, in percent.")]
    ready_since: Annotated[Time | None, Field(description="Since when enough of its pods are ready again.")] = None


class Condemned(StatusModel):
    """Stable breaches a guard although nothing better has served: what replaces it gets all traffic once ready."""

    revision: Annotated[Name, Field(description="Name of stable's ControllerRevision.")]
    message: Annotated[Sentence, Field(description="What the guard found, in a sentence for people.")]
