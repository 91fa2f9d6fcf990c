"""What a manifest would change: fields of the spec, and whether they make a new revision."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from viridian.api.revision import RevisionInput
from viridian.api.spec import ModelDeploymentSpec


@dataclass(frozen=True)
class Change:
    """One field with its value before and after; None for absent. `restarts` when it makes a new revision."""

    field: str
    before: object
    after: object
    restarts: bool


def changes(before: ModelDeploymentSpec, after: ModelDeploymentSpec) -> list[Change]:
    """Return the fields in which two specs differ, defaults included."""
    old, new = RevisionInput.of(before).manifest(), RevisionInput.of(after).manifest()
    restarting = {field for field, _, _ in _differences(old, new, "spec")}
    return [
        Change(field, was, will, field in restarting)
        for field, was, will in _differences(before.manifest(), after.manifest(), "spec")
    ]


def _differences(before: object, after: object, path: str) -> Iterator[tuple[str, object, object]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}")
    elif before != after:
        yield path, before, after


def creates(name: str, spec: ModelDeploymentSpec) -> str:
    """Return what applying a spec would start where there is no such model yet, in a sentence."""
    return f"ModelDeployment {name} would be created; {starts({}, spec, None)}"


def starts(model: Mapping[str, Any], spec: ModelDeploymentSpec, stable: RevisionInput | None) -> str:
    """Return what applying a spec would start, in a sentence.

    Args:
        model: the ModelDeployment as it is.
        spec: what is to be applied.
        stable: what stable runs; None if nothing serves.
    """
    status = model.get("status") or {}
    wanted, version = RevisionInput.of(spec), spec.model.version
    if stable is None:
        return f"the first revision would be {version}: it gets all traffic when its pods are ready"
    if wanted == stable:
        candidate = status.get("candidate")
        if candidate:
            return f"this is what stable runs: the rollout of {candidate['version']} would be ended, without blame"
        return f"no new revision: stable ({status['stable']['revision']}) runs exactly this"
    return f"a new revision of {version} would start next to stable ({status['stable']['version']})"
