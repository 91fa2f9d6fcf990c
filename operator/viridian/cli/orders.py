"""Commands to the operator: which revision each one is about, and whether the status shows that it was obeyed."""

from collections.abc import Callable, Mapping
from typing import Final

from viridian.api.errors import ViridianError

from .model import Json, Model, called


class NothingToDo(ViridianError):
    """The command would be refused as the model is now; the message says why, and what to do."""


def subject(verb: str, model: Model, to: str = "") -> str:
    """Return what a command names as its revision.

    Args:
        verb: one of the operator's verbs.
        model: the model as it is.
        to: of a rollback, the version or revision to bring back; empty for the one that served before. Of a drill, how
            the version is to fail.

    Raises:
        NothingToDo: there is nothing that the command could be about.
    """
    if verb == "drill":
        return _drill(model, to)
    if verb == "rollback":
        return _return(model, to)
    if verb == "retry":
        return _blocked(model)
    if model.control and verb in {"abort", "approve"}:  # take back what was promoted, or end its watch
        return str(model.stable["revision"])
    candidate = model.candidate
    if not candidate or model.status.get("ending"):
        raise NothingToDo(f"there is nothing to {verb}: {_standing(model)}")
    if verb == "resume" and not model.status.get("paused"):
        raise NothingToDo(f"there is nothing to resume: the rollout of {candidate['version']} is not paused")
    return str(candidate["revision"])


def _standing(model: Model) -> str:
    """What is going on with a model that has no rollout which a person could steer, and what can be done."""
    version = model.stable.get("version", "")
    if model.candidate:
        return f"{model.candidate['version']} is being taken back already"
    if model.phase == "Finishing":
        return (
            f"{version} has taken over, and the version before it drains;"
            f" `kubectl viridian rollback {model.arguments}` waits for that and brings it back"
        )
    if model.phase == "Baking":
        return f"{version} replaced nothing that works, so there is nothing to go back to; apply a version that works"
    serves = f"; {version} serves" if version else ""
    return f"{model.name} has no rollout in progress{serves}"


def was_obeyed(verb: str, revision: str, model: Model) -> bool:
    """Whether the first status that knows a command shows that it was carried out, and not refused."""
    return _SHOWS[verb](model, revision)


def _blocked(model: Model) -> str:
    """The revision that keeps what the spec asks for from starting: of its version, the last one."""
    found = [entry for entry in model.blocked if entry.get("version") == model.version]
    if model.block is not None:
        return str(model.block["revision"])
    if not found:
        raise NothingToDo(
            f"there is nothing to retry: {model.version}, which the spec asks for, neither failed nor expired"
        )
    return str(max(found, key=lambda entry: str(entry.get("at", "")))["revision"])


def _return(model: Model, to: str) -> str:
    stable = str(model.stable.get("revision", ""))
    if not stable:
        raise NothingToDo(f"there is nothing to roll back: no version of {model.name} has served yet")
    if not to:
        return stable
    target = _find(model, to, stable)
    return f"{stable}:{target}"


def _drill(model: Model, kind: str) -> str:
    if not model.stable:
        raise NothingToDo(f"there is nothing to drill: no version of {model.name} serves yet")
    return f"{model.stable['revision']}:{kind}"


def _drills(model: Model, _revision: str) -> bool:
    drill: Json = model.status.get("drill") or {}
    return bool(drill.get("requested") or drill.get("running"))


def _find(model: Model, to: str, stable: str) -> str:
    """The revision that a person means by its name or by its version: of one version the last that served."""
    served = [entry for entry in model.history if entry["result"] in {"Promoted", "Restored"}]
    for entry in served:
        if to in {entry["revision"], entry["version"]} and entry["revision"] != stable:
            return str(entry["revision"])
    if to in {stable, model.stable["version"]}:
        raise NothingToDo(f"there is nothing to roll back: {to} serves already")
    known = ", ".join(dict.fromkeys(map(called, served))) or "none"
    raise NothingToDo(f"no revision or version {to} of {model.name} has served; those that have: {known}")


def _is_ending(model: Model, revision: str) -> bool:
    status = model.status
    failed = any(each["revision"] == revision and each["reason"] == "Aborted" for each in status.get("failed") or [])
    return status.get("aborting") == revision or failed


def _shows(field: str) -> Callable[[Model, str], bool]:
    """Whether a field of the status names the revision, or that took over in the same pass."""

    def shown(model: Model, revision: str) -> bool:
        found: Json = model.status.get(field) or {}
        return revision in {found.get("revision"), model.stable.get("revision")}

    return shown


def _returns(model: Model, revision: str) -> bool:
    stable, _, target = revision.partition(":")
    returning: Json = model.status.get("returning") or {}
    if (model.status.get("ending") or {}).get("reason") == "RolledBackByCommand":  # it was watched
        return model.candidate.get("revision") == stable
    back = not target or model.candidate.get("revision") == target
    return returning.get("insteadOf") == stable and back


_SHOWS: Final[Mapping[str, Callable[[Model, str], bool]]] = {
    "abort": _is_ending,
    "approve": _shows("approved"),
    "promote": _shows("promotion"),
    "pause": lambda model, revision: model.status.get("paused") == revision,
    "resume": lambda model, _: not model.status.get("paused"),
    "retry": lambda model, revision: all(each["revision"] != revision for each in model.blocked),
    "rollback": _returns,
    "drill": _drills,
}
