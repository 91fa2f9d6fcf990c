"""One decision's inputs together, with the questions that several rules ask of them."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from viridian.api.names import Color
from viridian.api.revision import Revision, RevisionInput
from viridian.api.rollout import PromotionWatch, Step
from viridian.api.serving import Serving
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import BlockedRevision, ColorStatus, ModelDeploymentStatus, Phase, Promotion
from viridian_shared.durations import parse_duration

from .observed import ColorView, Observed, Settings

SETTLED = frozenset({Phase.STABLE, Phase.ROLLED_BACK, Phase.EXPIRED, Phase.PENDING})
"""Phases in which nothing is moving."""
PROMOTED = frozenset({Phase.STABLE, Phase.WATCHING})
"""Phases in which what the spec asks for serves as stable, and a rollout is over."""
CLOCK_STOPS = frozenset({"Paused", "AwaitingApproval"})
"""Holds in which a person is waited for; the deadline's clock stands still."""
_SERVED: Final = frozenset({"Promoted", "Restored"})
"""How rollouts ended whose revisions users were served by."""
_FEWEST: Final = 2
"""Pods of a candidate, where stable has as many: its PodDisruptionBudget then keeps one of them."""


@dataclass(frozen=True)
class RolloutContext:
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

    @cached_property
    def check_names(self) -> tuple[str, ...]:
        """The checks that a candidate is to pass, in their order."""
        return self.spec.checks.names_with(smoke=self.settings.smoke)

    def runs_wanted(self, role: ColorStatus | None) -> bool:
        """Whether a role's revision is what the spec asks for.

        A revision that has not been stored yet will be rendered from the spec, so it is.
        """
        if role is None:
            return False
        stored = self.observed.revisions.get(role.revision)
        return stored is None or stored.input == self.wanted

    @property
    def blocked(self) -> BlockedRevision | None:
        """How the revision in the spec failed or expired before, so that only the command retry starts it again."""
        for blocked in (*self.status.failed, *self.status.expired):
            known = self.observed.revisions.get(blocked.revision)
            if known is not None and known.input == self.wanted:
                return blocked
        return None

    @property
    def barred(self) -> str | None:
        """Why there can be no route as the spec has it: no such Gateway, or host and path are another model's."""
        return self.observed.gateway_problem or self.observed.taken

    def color(self, color: Color) -> ColorView:
        """What was seen of a color."""
        return self.observed.colors.get(color, ColorView())

    def serving(self, role: ColorStatus | None) -> int:
        """Ready and published pods of a role's own revision."""
        return 0 if role is None else self.color(role.color).serving(role.revision)

    def route_weight(self, role: ColorStatus | None) -> int:
        """A role's share of the split in the live route, in percent."""
        return 0 if role is None or self.observed.route is None else self.observed.route.split(role.color)

    def is_reachable(self, role: ColorStatus | None) -> bool:
        """Whether any rule of the live route leads to a role: users may be on it, pinned ones at least."""
        return role is not None and self.observed.route is not None and self.observed.route.weight(role.color) > 0

    def requests(self, role: ColorStatus | None) -> int:
        """Comparable requests that a role has completed since the rollout began."""
        return 0 if role is None else self.observed.evidence.requests.get(role.revision, 0)

    def mirrored(self, role: ColorStatus | None) -> int:
        """Copies of stable's requests that a role has completed since the rollout began."""
        return 0 if role is None else self.observed.evidence.mirrored.get(role.revision, 0)

    def told_of(self, color: Color, revision: str) -> datetime | None:
        """The newest moment of which the metrics tell about a revision's pods; without a ready one, about any."""
        evidence = self.observed.evidence
        seen = evidence.seen_at.get(revision)
        if evidence.fresh_at is None or not self.color(color).serving(revision):
            return evidence.fresh_at
        return None if seen is None else min(seen, evidence.fresh_at)

    @property
    def fresh_at(self) -> datetime | None:
        """The newest moment of which the metrics tell about the candidate and stable both."""
        told = [
            self.told_of(role.color, role.revision)
            for role in (self.status.candidate, self.status.stable)
            if role is not None
        ]
        return min((moment for moment in told if moment is not None), default=None) if all(told) else None

    @property
    def sees(self) -> bool:
        """Whether the metrics are recent enough to go forward on; without them weights stay."""
        return self.is_recent(self.fresh_at)

    def is_recent(self, moment: datetime | None) -> bool:
        """Whether what the metrics told of at a moment is still worth anything."""
        return moment is not None and self.now - moment <= self.settings.quiet

    @property
    def unseen(self) -> str:
        """Whose pods the metrics do not tell of, as the end of a noun; empty when they tell of none, or of both."""
        if not self.is_recent(self.observed.evidence.fresh_at):
            return ""
        roles = (self.status.candidate, self.status.stable)
        return next(
            (
                f" of {role.version}'s pods"
                for role in roles
                if role is not None and not self.is_recent(self.told_of(role.color, role.revision))
            ),
            "",
        )

    def is_monitored(self, role: ColorStatus, pods: int) -> bool:
        """Whether the guards see this many pods of a role: no pod gets users' requests unseen."""
        return self.reporting(role) >= pods

    def reporting(self, role: ColorStatus) -> int:
        """Pods of a role whose counters the metrics have."""
        return self.observed.evidence.reporting.get(role.revision, 0)

    @property
    def failed_over(self) -> bool:
        """Whether the other color carries everything because stable has, or just had, nobody to answer."""
        return self.status.outage is not None and self.status.outage.failed_over_at is not None

    @property
    def bakes_alone(self) -> bool:
        """Whether stable is in a bake without a comparison, as a first revision is."""
        status = self.status
        return status.candidate is None and status.stable is not None and self.live_phase is Phase.BAKING

    @property
    def condemned(self) -> str:
        """What its own guard found against stable, in a sentence; empty while nothing was found."""
        stable, condemned = self.status.stable, self.status.condemned
        mine = stable is not None and condemned is not None and condemned.revision == stable.revision
        return condemned.message if condemned is not None and mine else ""

    @property
    def full(self) -> int:
        """Pods that carry all traffic: those the spec asks for, or the most that an autoscaler had in this rollout.

        At rest autoscaling may go down to its minimum.
        """
        return full_replicas(self.spec.serving, self.status.floor)

    def required_replicas(self, weight: int) -> int:
        """Pods that must be ready for `weight` percent: that share of stable's, and two wherever stable has two.

        With one, a drained node takes all that can answer the candidate's share, and a latency guard has nothing to
        compare that pod with.
        """
        return min(self.full, max(_FEWEST, math.ceil(self.full * weight / 100)))

    def carried(self, pods: int) -> int:
        """The weight that this many pods can carry, in percent.

        A Service cannot be split: there, it is everything, or nothing with less than half of the pods.
        """
        if not self.spec.has_route:
            return 100 if pods and 2 * pods >= self.full else 0
        return min(100, 100 * pods // self.full)

    @property
    def promotion(self) -> Promotion | None:
        """The command by which the candidate skips its remaining holds, or None."""
        promotion, candidate = self.status.promotion, self.status.candidate
        mine = promotion is not None and candidate is not None and promotion.revision == candidate.revision
        return promotion if mine else None

    @property
    def steps(self) -> list[Step]:
        """The steps before the bake; BlueGreen has none."""
        return self.spec.rollout.steps if self.spec.is_canary else []

    @cached_property
    def bake_weight(self) -> int:
        """The candidate's weight during the bake, in percent; without a gateway nothing can be held back."""
        return 100 - self.spec.rollout.bake.holdback if self.spec.has_route else 100

    @property
    def watch_wanted(self) -> PromotionWatch | None:
        """The watch after the promotion, if the spec asks for one and a gateway can split the traffic."""
        return self.spec.rollout.bake.watch if self.spec.has_route else None

    @property
    def watch_follows(self) -> bool:
        """Whether a watch follows the candidate's promotion: not where the old version is down, faulty, or unwanted."""
        status = self.status
        compared = status.stable is not None and status.returning is None and not self.condemned
        return self.watch_wanted is not None and compared and not self.failed_over

    @property
    def promoted_weight(self) -> int:
        """The weight with which the candidate becomes stable, in percent."""
        watch = self.watch_wanted
        return 100 - watch.holdback if watch is not None and self.watch_follows else 100

    def step_weight(self, index: int) -> int:
        """Weight of the step with this number (from 1); one more than the last is the bake."""
        return self.steps[index - 1].share if index <= len(self.steps) else self.bake_weight

    def step_load(self, index: int) -> int:
        """What reaches the candidate's pods in the step with this number, in percent of the traffic."""
        return self.steps[index - 1].load if index <= len(self.steps) else self.bake_weight

    def step_shadow(self, index: int) -> str | None:
        """The share of stable's requests that is mirrored in the step with this number; None for none."""
        return self.steps[index - 1].shadow if index <= len(self.steps) else None

    def step_hold(self, index: int) -> timedelta:
        """How long the step with this number is watched after it was verified."""
        bakes = index > len(self.steps)
        return parse_duration(self.spec.rollout.bake.duration if bakes else self.steps[index - 1].hold)

    def step_min_requests(self, index: int) -> int:
        """Requests that the candidate must have completed in that step."""
        return self.steps[index - 1].min_requests if index <= len(self.steps) else 0

    @property
    def live_phase(self) -> Phase:
        """The phase with a hold looked through."""
        step = self.status.step
        if self.status.phase is not Phase.HELD:
            return self.status.phase
        if step is not None:
            return Phase.PROGRESSING if step.index <= len(self.steps) else Phase.BAKING
        return Phase.BAKING if self.status.candidate is None else Phase.STARTING

    @property
    def running_for(self) -> timedelta:
        """How long the deadline's clock has run: not while a person was waited for."""
        started, hold = self.status.started_at, self.status.hold
        if started is None:
            return timedelta(0)
        waited = parse_duration(self.status.waited or "0s")
        waits_since = hold.since if hold is not None and hold.reason in CLOCK_STOPS else self.now
        return waits_since - started - waited

    @property
    def follows_spec(self) -> bool:
        """Whether the spec counts; a revision that was restored by command stays until the spec is edited."""
        returning = self.status.returning
        return returning is None or self.observed.generation > returning.generation

    @property
    def kept(self) -> list[Revision]:
        """Revisions that a person can go back to: served before, stored, and not found faulty; the last one first."""
        stable, served = self.status.stable, [entry for entry in self.status.history if entry.result in _SERVED]
        if stable is None:
            return []
        out = {stable.revision, *(blocked.revision for blocked in self.status.failed if not blocked.until_generation)}
        names = dict.fromkeys(entry.revision for entry in served if entry.revision not in out)
        return [self.observed.revisions[name] for name in names if name in self.observed.revisions]

    @property
    def previous(self) -> Revision | None:
        """What a person's rollback goes back to unless it names another one: what served last before stable."""
        rolled_back = {blocked.revision for blocked in self.status.failed}
        return next((revision for revision in self.kept if revision.name not in rolled_back), None)

    def return_target(self, name: str) -> Revision | None:
        """What the command rollback brings back: the revision of this name, or without one what served before."""
        return next((kept for kept in self.kept if kept.name == name), None) if name else self.previous

    @property
    def candidate_is_live(self) -> bool:
        """Whether there is a candidate that is not being rolled back."""
        return self.status.candidate is not None and self.status.ending is None


def full_replicas(serving: Serving, floor: int | None) -> int:
    """Pods that carry all traffic; at least `floor`, which is none while no rollout runs or none was autoscaled."""
    scaling = serving.autoscaling
    if scaling is None:
        return max(serving.replicas, floor or 0)
    return min(scaling.max_replicas, max(scaling.min_replicas, floor or 0))
