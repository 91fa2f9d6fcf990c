"""One decision's inputs together, with the questions that several rules ask of them."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from viridian.api.names import Color
from viridian.api.quantities import parse_duration
from viridian.api.revision import RevisionInput
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ColorStatus, ModelDeploymentStatus, Phase, PinnedRevision

from .observed import ColorView, Observed, Settings

SETTLED = frozenset({Phase.STABLE, Phase.ROLLED_BACK, Phase.EXPIRED, Phase.PENDING})
"""Phases in which nothing is moving."""


@dataclass(frozen=True)
class View:
    """What a rule sees: the spec, the status so far, the world, the time."""

    name: str
    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus
    observed: Observed
    settings: Settings
    now: datetime

    @cached_property
    def wanted(self) -> RevisionInput:
        """What the spec asks for."""
        return RevisionInput.of(self.spec)

    def runs_wanted(self, role: ColorStatus | None) -> bool:
        """Whether a role's revision is what the spec asks for.

        A revision that has not been stored yet will be rendered from the spec, so it is.
        """
        if role is None:
            return False
        stored = self.observed.revisions.get(role.revision)
        return stored is None or stored.input == self.wanted

    @property
    def pin(self) -> PinnedRevision | None:
        """How what the spec asks for failed or expired before, so that only a person's word starts it again."""
        for pin in (*self.status.failed, *self.status.expired):
            known = self.observed.revisions.get(pin.revision)
            if known is not None and known.input == self.wanted:
                return pin
        return None

    def color(self, color: Color) -> ColorView:
        """What was seen of a color."""
        return self.observed.colors.get(color, ColorView())

    def serving(self, role: ColorStatus | None) -> int:
        """Ready and published pods of a role's own revision."""
        return 0 if role is None else self.color(role.color).serving(role.revision)

    def route_weight(self, role: ColorStatus | None) -> int:
        """A role's weight in the live route, in percent."""
        return 0 if role is None or self.observed.route is None else self.observed.route.weight(role.color)

    def requests(self, role: ColorStatus | None) -> int:
        """Comparable requests that a role has completed since the rollout began."""
        return 0 if role is None else self.observed.evidence.requests.get(role.revision, 0)

    @property
    def sees(self) -> bool:
        """Whether the metrics are recent enough to go forward on; without them weights stay."""
        fresh = self.observed.evidence.fresh_at
        return fresh is not None and self.now - fresh <= self.settings.quiet

    def is_watched(self, role: ColorStatus, pods: int) -> bool:
        """Whether the guards see so many pods of a role: none gets users' requests unseen."""
        return self.observed.evidence.reporting.get(role.revision, 0) >= pods

    def required_replicas(self, weight: int) -> int:
        """Pods that must be ready for `weight` percent: that share of stable's, and two for a latency guard."""
        full = self.spec.serving.replicas
        floor = 2 if self.spec.guards.latency else 1
        return min(full, max(floor, math.ceil(full * weight / 100)))

    @cached_property
    def bake_weight(self) -> int:
        """The candidate's weight during the bake, in percent."""
        return 100 - self.spec.rollout.bake.holdback

    def step_weight(self, index: int) -> int:
        """Weight of the step with this number (from 1); one more than the last is the bake."""
        steps = self.spec.rollout.steps
        return steps[index - 1].weight if index <= len(steps) else self.bake_weight

    def step_hold(self, index: int) -> timedelta:
        """How long the step with this number is watched after it was verified."""
        steps = self.spec.rollout.steps
        return parse_duration(steps[index - 1].hold if index <= len(steps) else self.spec.rollout.bake.duration)

    def step_min_requests(self, index: int) -> int:
        """Requests that the candidate must have completed in that step."""
        steps = self.spec.rollout.steps
        return steps[index - 1].min_requests if index <= len(steps) else 0

    @property
    def live_phase(self) -> Phase:
        """The phase with a hold looked through: Progressing or Baking while a candidate has a step."""
        step = self.status.step
        if self.status.phase is Phase.HELD and step is not None:
            return Phase.PROGRESSING if step.index <= len(self.spec.rollout.steps) else Phase.BAKING
        return self.status.phase

    @property
    def candidate_is_live(self) -> bool:
        """Whether there is a candidate that is not being taken back."""
        return self.status.candidate is not None and self.status.ending is None
