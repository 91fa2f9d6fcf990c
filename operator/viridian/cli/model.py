"""A ModelDeployment as `kubectl get -o json` prints it, read without the operator's models: those take long to load."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

Json = dict[str, Any]
_BARE: Final = frozenset(
    {"Pending", "Starting", "Progressing", "Baking", "Finishing", "Watching", "Stable", "RollingBack", "RolledBack"}
    | {"Held", "Expired", "Stalled"}
)
"""Phases, which are also reasons where there is no better one."""


@dataclass(frozen=True)
class Model:
    """One ModelDeployment: what is asked for, and what is."""

    manifest: Json

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.manifest["metadata"].get("namespace", ""))

    @property
    def arguments(self) -> str:
        """Its name and namespace, as arguments of a command that may be copied."""
        return f"{self.name} -n {self.namespace}" if self.namespace else self.name

    @property
    def generation(self) -> int:
        """Counts the changes of the spec."""
        return int(self.manifest["metadata"].get("generation", 0))

    @property
    def spec(self) -> Json:
        """What is asked for."""
        return dict(self.manifest.get("spec") or {})

    @property
    def status(self) -> Json:
        """What is; empty before the operator has seen the model."""
        return dict(self.manifest.get("status") or {})

    @property
    def version(self) -> str:
        """The version that the spec asks for."""
        return str(self.spec.get("model", {}).get("version", ""))

    @property
    def phase(self) -> str:
        """Where the rollout stands."""
        return str(self.status.get("phase", "Pending"))

    @property
    def stable(self) -> Json:
        """The role stable; empty without one."""
        return dict(self.status.get("stable") or {})

    @property
    def candidate(self) -> Json:
        """The role candidate; empty without one."""
        return dict(self.status.get("candidate") or {})

    @property
    def control(self) -> Json:
        """The old version while the promoted one is watched; empty without a watch."""
        return dict((self.status.get("watch") or {}).get("control") or {})

    @property
    def history(self) -> list[Json]:
        """Finished rollouts, newest first."""
        return list(self.status.get("history") or [])

    @property
    def guards(self) -> list[Json]:
        """What the guards say of the traffic; none before there is any, or when nothing is compared any more."""
        alone = self.phase == "Held" and not self.candidate  # a first version in its bake
        compares = self.status.get("step") or alone or self.phase in {"Baking", "Watching"}
        return list(self.status.get("guards") or []) if compares else []

    @property
    def blocked(self) -> list[Json]:
        """Revisions that do not start again by themselves: those that failed, then those that expired."""
        return [*(self.status.get("failed") or []), *(self.status.get("expired") or [])]

    @property
    def block(self) -> Json | None:
        """How the version that the spec asks for was turned back; None if it was not.

        A condition has the reason of the entry only where what ended is what the spec asks for. Its bare phase tells of
        another revision, which made room a moment ago.
        """
        kind, ended = ("Stalled", "expired") if self.phase == "Expired" else ("RolledBack", "failed")
        reason = self.condition(kind).get("reason", self.phase)
        if reason in _BARE:
            return None
        mine = [entry for entry in self.status.get(ended) or [] if entry["version"] == self.version]
        return next((entry for entry in mine if entry["reason"] == reason), mine[0] if mine else None)

    @property
    def is_observed(self) -> bool:
        """Whether the status speaks of the spec as it is now."""
        return bool(self.status) and int(self.status.get("observedGeneration", 0)) >= self.generation

    def condition(self, kind: str) -> Json:
        """The condition of this type; empty if there is none."""
        return next((each for each in self.status.get("conditions") or [] if each.get("type") == kind), {})

    def holds(self, kind: str) -> bool:
        """Whether the condition of this type is True."""
        return self.condition(kind).get("status") == "True"

    @property
    def obstacle(self) -> str:
        """What keeps the operator from doing what the spec asks for, in a sentence; empty for nothing."""
        return str(self.condition("Stalled").get("message", "")) if self.holds("Stalled") else ""

    @property
    def state(self) -> str:
        """What happens, and what it waits for, in a sentence."""
        if not self.is_observed and not self.obstacle:
            return "the operator has not seen this version of the spec yet: if that lasts, check that it runs"
        kind = "Reconciling" if self.holds("Reconciling") else "Ready"
        return self.obstacle or str(self.condition(kind).get("message", "")) or self.phase


def called(entry: Json) -> str:
    """As people name a version: `v2 (digits-2)`."""
    return f"{entry['version']} ({entry['revision']})"


def read_time(text: str) -> datetime:
    """The time in a status."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
