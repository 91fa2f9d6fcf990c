"""What the traffic of a running rollout can show, in one sentence."""

from datetime import timedelta
from typing import Final

from viridian.guards.config import Config, absolute_guards, relative_guards
from viridian.guards.power import power_sentence
from viridian.guards.spec import guard_config
from viridian.rollout.context import RolloutContext

_TELLING: Final = timedelta(minutes=1)
"""How long a step's requests are counted before they are called its traffic."""


def each_alpha(config: Config) -> float:
    """Return the part of alpha that each test of a configuration has from the start."""
    return config.tests_alpha / max(1, len([*absolute_guards(config), *relative_guards(config)]))


def power(context: RolloutContext) -> str:
    """Return how soon a clear regression would show at this step, as a sentence; empty before that is known."""
    status, config = context.status, guard_config(context.spec)
    step, compared = status.step, _stable_errors(context)
    if (
        step is None
        or not step.weight
        or step.verified_at is None
        or compared is None
        or config.worse_than_stable is None
    ):
        return ""
    lasted = context.now - step.intended_at
    if not context.spec.has_route or not context.candidate_is_live or lasted < _TELLING:
        return status.power
    rpm = (context.requests(status.candidate) - step.requests_before) / (lasted / timedelta(minutes=1))
    said = power_sentence(
        max(0.0, rpm), config.worse_than_stable, compared, min(step.weight, 99) / 100, each_alpha(config)
    )
    return f"{said[:1].upper()}{said[1:]}."


def _stable_errors(context: RolloutContext) -> float | None:
    """Stable's share of errors; of a few requests without any it is not said that there are none."""
    found = (judgement for judgement in context.observed.evidence.judgements if judgement.kind == "relative")
    counts = next((judgement.stable for judgement in found if judgement.stable is not None), None)
    return None if counts is None else (counts.events + 1) / (counts.total + 2)
