"""What the page shows of a model, as data. Pure."""

from typing import Final

from viridian.cli.explain import explain
from viridian.cli.model import Json, Model
from viridian.cli.orders import NothingToDo, subject

from .record import Record

ACTIONS: Final = ("approve", "promote", "pause", "resume", "abort", "retry", "rollback")
"""The commands that the page offers, where they are of use."""
_BAD: Final = {"RollingBack", "RolledBack", "Expired", "Stalled"}
_QUIET: Final = {"Stable"}


def key(model: Model) -> str:
    """Return what the page calls a model: namespace/name."""
    return f"{model.namespace}/{model.name}"


def row(model: Model) -> Json:
    """Return a model's line in the list of all."""
    candidate = model.candidate
    return {
        "key": key(model),
        "namespace": model.namespace,
        "name": model.name,
        "phase": model.phase,
        "tone": "bad" if model.phase in _BAD else "good" if model.phase in _QUIET else "busy",
        "stable": str(model.stable.get("version", "")),
        "candidate": str(candidate.get("version", "")),
        "weight": int(candidate.get("weight", 0)) if candidate else None,
        "progress": str((model.status.get("step") or {}).get("progress", "")),
        "state": model.state,
        "since": model.condition("Ready").get("lastTransitionTime", ""),
    }


def detail(model: Model, record: Record) -> Json:
    """Return all that a model's own page shows."""
    status = model.status
    return {
        **row(model),
        "roles": [{"role": role, **found} for role in ("stable", "candidate") if (found := status.get(role))],
        "steps": [step["weight"] for step in (model.spec.get("rollout") or {}).get("steps") or [] if "weight" in step],
        "step": status.get("step"),
        "hold": status.get("hold"),
        "checks": status.get("checks") or [],
        "guards": status.get("guards") or [],
        "history": model.history,
        "logged": bool((model.spec.get("serving") or {}).get("log")),
        "shadow": status.get("shadow") or "",
        "conditions": status.get("conditions") or [],
        "explanation": explain(model),
        "actions": [verb for verb in ACTIONS if _is_of_use(verb, model)],
        "record": record.as_data(),
    }


def _is_of_use(verb: str, model: Model) -> bool:
    try:
        subject(verb, model)
    except NothingToDo:
        return False
    if verb == "approve":
        return (model.status.get("hold") or {}).get("reason") == "AwaitingApproval"
    done = {"pause": "paused", "promote": "promotion"}
    return not model.status.get(done.get(verb, ""))
