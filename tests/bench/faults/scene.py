"""The scene of one fault: a model that serves, its clients, and what has to be said about what happened."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.harness.clients import Clients
from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

STABLE, BETTER, FAILING = "v1", "v2", "v3"
SERVING: dict[str, Any] = {"replicas": 2}
_REPAIR_SECONDS = 120.0
_PHASE_SECONDS = 120.0


@dataclass
class Scene:
    """What a fault is played on.

    Attributes:
        stage: A model of which `v1` serves with two pods.
        clients: Its clients, who send from before the fault until after its end.
        remarks: What was not as specified, for the row.
        put_back_after: Seconds until what was edited or deleted was as before.
    """

    stage: Stage
    clients: Clients
    remarks: list[str] = field(default_factory=list)
    put_back_after: float | None = None

    def roll_out(self, version: str, **rollout: Any) -> None:
        """Apply another version; changes of the rollout part may be given."""
        self.stage.apply(version, serving=SERVING, rollout=rollout)

    def await_phase(self, phase: str) -> None:
        """Wait until the model is in a phase; the wait is a busy one, since some are short."""
        eventually(lambda: self.stage.status.get("phase") == phase, f"phase {phase}", _PHASE_SECONDS)

    def await_step(self, weight: int, *, verified: bool) -> None:
        """Wait until the step with this weight is intended, or verified."""

        def look() -> bool:
            step = self.stage.status.get("step") or {}
            return step.get("weight") == weight and ("verifiedAt" in step or not verified)

        eventually(look, f"the step with {weight} %", _PHASE_SECONDS)

    def await_repair(self, is_back: Callable[[], bool], what: str) -> None:
        """Wait until something is as it was, and note how long that took, or that it did not happen."""
        began = time.monotonic()
        try:
            eventually(is_back, f"{what} to be put back", _REPAIR_SECONDS)
        except AssertionError:
            self.remarks.append(f"{what} not put back within {_REPAIR_SECONDS:.0f} s")
        else:
            self.put_back_after = time.monotonic() - began

    def settled(self, phase: str) -> bool:
        """Whether the model rests in a phase."""
        return bool(self.stage.status.get("phase") == phase)

    def kubectl(self, *arguments: str) -> str:
        """kubectl in the model's namespace."""
        return self.stage.cluster.kubectl(f"--namespace={self.stage.namespace}", *arguments)

    def child(self, kind: str, suffix: str = "") -> dict[str, Any]:
        """One of the model's objects; AssertionError if it is not there, so that it can be awaited."""
        found = self.stage.read(kind, f"--field-selector=metadata.name={NAME}{suffix}")["items"]
        assert found, f"there is no {kind} {NAME}{suffix}"
        only: dict[str, Any] = found[0]
        return only


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: How it is called in the table and on the command line.
        play: Brings it about and waits for its end.
        expected: Phase and stable version in which the specification lets it end.
        spares_clients: Whether the specification promises that no request fails.
        alone: Whether other models suffer from it, so that nothing else may be played at the same time.
        candidate: The version that is rolled out meanwhile and fails by itself, if any.
    """

    name: str
    play: Callable[[Scene], None]
    expected: str
    spares_clients: bool
    alone: bool = False
    candidate: str = ""
