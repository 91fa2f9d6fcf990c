"""Why a rollout was turned back, or what it waits for: in sentences, with what to do."""

from collections.abc import Iterator

from .advice import ADVICE
from .model import Json, Model
from .recount import recount


def explain(model: Model) -> list[str]:
    """Return paragraphs: what is, why, what the guards found, and what to do."""
    return [*_what(model), *_guards(model), *_counts(model), *_checks(model), *_to_do(model), *_who_serves(model)]


def reason_of(model: Model) -> str:
    """Return why a model is not where its spec wants it, in the word of its conditions; empty when it is."""
    status = model.status
    ending, hold = status.get("ending") or {}, status.get("hold") or {}
    if ending or hold:
        return str((ending or hold)["reason"])
    for kind in ("RolledBack", "Stalled"):
        if model.holds(kind):
            return str(model.condition(kind)["reason"])
    if model.phase in {"Stable", "Watching"} and not model.holds("Ready"):
        return str(model.condition("Ready").get("reason", ""))
    return ""


def _what(model: Model) -> Iterator[str]:
    last = _last_bad(model)
    yield f"{model.name} is {model.phase}: {model.state.removesuffix('.')}."
    if last is not None and not model.candidate and last["message"] not in model.state:
        yield f"{last['version']} ended as {last['result']}: {last['message'].removesuffix('.')}."


def _last_bad(model: Model) -> Json | None:
    """The last rollout, if it ended badly."""
    last = model.history[0] if model.history else None
    return last if last is not None and last["result"] not in {"Promoted", "Restored"} else None


def _guards(model: Model) -> Iterator[str]:
    if model.control and model.guards:
        new, old = model.stable["version"], model.control["version"]
        yield f"The guards compare {new}, which they call the candidate, with {old}, which they call stable."
    for guard in model.guards:
        need = f" (evidence {guard['evidence']}; it takes {guard['threshold']} to turn the candidate back)"
        need = "" if "evidence" in guard["message"] else need
        yield f"Guard {guard['name']} ({guard['kind']}) says {guard['verdict']}: {guard['message']}{need}"


def _counts(model: Model) -> Iterator[str]:
    """The counts of the rollout that runs, else of the last one that ended, and what they can show."""
    counted = [("", guard) for guard in model.guards]
    if not counted and not model.candidate:  # an earlier rollout's counts would be taken for this candidate's
        counted = [
            (f"In the rollout of {entry['version']}, ", guard)
            for entry in model.history[:1]
            for guard in entry.get("guards") or []
        ]
    for of, guard in counted:
        if told := recount(guard):
            yield of + told
    if power := model.status.get("power"):
        yield power


def _checks(model: Model) -> Iterator[str]:
    for check in model.status.get("checks") or []:
        message = f": {check['message']}" if check.get("message") else ""
        yield f"Check {check['name']} of {check['revision']}: {check['result']}{message}"


def _to_do(model: Model) -> Iterator[str]:
    reason = reason_of(model)
    advice = ADVICE.get(reason)
    if advice is not None:
        again = (
            f"; to try the same one: `kubectl viridian retry {model.arguments}`" if advice.again and model.block else ""
        )
        yield f"What to do ({reason}): {advice.do.format(name=model.arguments)}{again}."
        yield f"More: {advice.link}"
    elif model.control and model.holds("Ready"):
        yield (
            f"There is nothing to do. `kubectl viridian approve {model.arguments}` ends the watch, and"
            f" `kubectl viridian abort {model.arguments}` goes back to {model.control['version']}."
        )
    elif model.holds("Ready"):
        yield "There is nothing to do."
    elif model.candidate:
        yield f"There is nothing to do: it goes on by itself. `kubectl viridian watch {model.arguments}` follows it."


def _who_serves(model: Model) -> Iterator[str]:
    available = model.condition("Available")
    if available.get("status") == "False":
        yield f"Users are not served: {available['message']}."
