"""The steps of a rollout without pods, gateway and people: `rollout.decide` where all of those do as they should.

A thin copy, since thousands of rollouts are played; a test gives both the same requests and compares them pass by pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from viridian.api.guards import Policy
from viridian.api.spec import ModelDeploymentSpec
from viridian.api.status import ModelDeploymentStatus, Phase, StepStatus
from viridian.guards.judge import Judgement, Verdict
from viridian.rollout.context import RolloutContext
from viridian.rollout.holds import HOLDING
from viridian.rollout.observed import Observed, Settings
from viridian.rollout.split import follow
from viridian_shared.durations import parse_duration


@dataclass(frozen=True)
class Rules:
    """What a spec says about steps, read once.

    Attributes:
        weights: Of each step, the bake last, in percent.
        holds: How long each is watched.
        min_requests: How many requests each wants.
        pods: How many pods of the candidate each wants.
        deadline: After which the rollout expires.
        no_traffic: How long a step may see no requests before the rollout expires; None to wait for the deadline.
    """

    weights: tuple[int, ...]
    holds: tuple[timedelta, ...]
    min_requests: tuple[int, ...]
    pods: tuple[int, ...]
    deadline: timedelta
    no_traffic: timedelta | None

    @classmethod
    def of(cls, spec: ModelDeploymentSpec, now: datetime) -> "Rules":
        """Return those of a spec."""
        nothing = Observed(generation=1, colors={}, revisions={})
        context = RolloutContext("", spec, ModelDeploymentStatus(), nothing, Settings(timedelta(seconds=1)), now)
        numbers = range(1, len(context.steps) + 2)
        weights = tuple(context.step_weight(number) for number in numbers)
        idle = spec.guards.no_traffic
        return cls(
            weights,
            tuple(context.step_hold(number) for number in numbers),
            tuple(context.step_min_requests(number) for number in numbers),
            tuple(context.required_replicas(weight) for weight in weights),
            parse_duration(spec.rollout.deadline),
            parse_duration(idle.after) if idle.then is Policy.ROLLBACK else None,
        )


@dataclass
class Walk:
    """One rollout on its way.

    Attributes:
        rules: The steps.
        started_at: Since when the deadline's clock runs.
        step: The step that it is at, from its beginning on.
        phase: Progressing or Baking; at last Finishing, RolledBack or Expired.
        moved_at: When a request was last counted.
    """

    rules: Rules
    started_at: datetime
    step: StepStatus
    phase: Phase
    moved_at: datetime

    @classmethod
    def begin(cls, rules: Rules, started_at: datetime, now: datetime) -> "Walk":
        """Return a rollout that is given its first step now."""
        step = _step(rules, 1, 0, now, (0, 0))
        return cls(rules, started_at, step, _phase(rules, 1), now)

    @property
    def is_over(self) -> bool:
        """Whether it was decided how it ends."""
        return self.phase not in {Phase.PROGRESSING, Phase.BAKING}

    def look(self, now: datetime, weight: int, counted: tuple[int, int], judgements: Sequence[Judgement]) -> None:
        """Decide on one move, as the operator does at each of its passes.

        Args:
            now: The time.
            weight: The candidate's weight in the route, in percent.
            counted: Requests that candidate and stable have completed since the rollout began.
            judgements: What the guards say.
        """
        verdicts = {judgement.verdict for judgement in judgements}
        if Verdict.BREACH in verdicts:
            self.phase = Phase.ROLLED_BACK
        elif self._is_idle(now, weight) or now - self.started_at >= self.rules.deadline:
            self.phase = Phase.EXPIRED
        elif HOLDING.keys() & verdicts:
            return
        elif self.step.verified_at is None:
            if weight == self.step.weight:
                self.step = follow(self.step, *counted, now)
        elif self._is_done(now, counted[0], judgements):
            self._go_on(now, weight, counted)

    def ends_at(self, counted: int, judgements: Sequence[Judgement]) -> datetime | None:
        """When the step's hold is over, if nothing but that is waited for."""
        verified = self.step.verified_at
        if self.is_over or verified is None or HOLDING.keys() & {judgement.verdict for judgement in judgements}:
            return None
        end = verified + self.rules.holds[self.step.index - 1]
        return end if self._is_done(end, counted, judgements) else None

    def _is_done(self, now: datetime, counted: int, judgements: Sequence[Judgement]) -> bool:
        at, verified = self.step.index - 1, self.step.verified_at
        return (
            verified is not None
            and now - verified >= self.rules.holds[at]
            and counted - self.step.requests_before >= self.rules.min_requests[at]
            and not any(each.kind == "absolute" and each.requests_missing != 0 for each in judgements)
        )

    def _go_on(self, now: datetime, weight: int, counted: tuple[int, int]) -> None:
        number = self.step.index + 1
        if number > len(self.rules.weights):
            self.phase = Phase.FINISHING
            return
        self.step, self.phase = _step(self.rules, number, weight, now, counted), _phase(self.rules, number)

    def _is_idle(self, now: datetime, weight: int) -> bool:
        limit = self.rules.no_traffic
        if limit is None or self.step.verified_at is not None or weight != self.step.weight:
            return False
        return now - max(self.step.intended_at, self.moved_at) > limit


def _step(rules: Rules, number: int, weight: int, now: datetime, counted: tuple[int, int]) -> StepStatus:
    return StepStatus(
        index=number,
        count=len(rules.weights) - 1,
        weight=rules.weights[number - 1],
        weight_before=weight,
        intended_at=now,
        requests_before=counted[0],
        stable_requests_before=counted[1],
    )


def _phase(rules: Rules, number: int) -> Phase:
    return Phase.PROGRESSING if number < len(rules.weights) else Phase.BAKING
