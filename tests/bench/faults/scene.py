"""The scene of one fault: a model that serves, its clients, and what has to be said about what happened."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from tests.e2e.harness.clients import Clients
from tests.e2e.harness.stage import NAME, Stage
from tests.waiting import eventually

from .rows import Period

STABLE, BETTER, FAILING = "v1", "v2", "v3"
SERVING: Mapping[str, Any] = {"replicas": 2}
Serving = Callable[[str], Mapping[str, Any]]
"""How a version is served: the `serving` part of its spec, by version."""
_UNCHECKED: Final = MappingProxyType({"smoke": False})
"""The check smoke would find the version that is to fail."""
_REPAIR_SECONDS = 120.0
_PHASE_SECONDS = 120.0


@dataclass
class Scene:
    """What a fault is played on.

    Attributes:
        stage: A model of which `v1` serves with two pods.
        clients: Its clients, who send from before the fault until after its end.
        serving: How each version is served.
        remarks: What was not as specified, for the row.
        allowed: When requests may fail.
        put_back_after: Seconds until what was edited or deleted was as before.
    """

    stage: Stage
    clients: Clients
    serving: Serving
    remarks: list[str] = field(default_factory=list)
    allowed: list[Period] = field(default_factory=list)
    put_back_after: float | None = None

    def roll_out(self, version: str, *, checks: Mapping[str, Any] = _UNCHECKED, **rollout: Any) -> None:
        """Apply another version; checks, and changes of the rollout part, may be given."""
        self.stage.apply(version, serving=dict(self.serving(version)), rollout=rollout, checks=dict(checks))

    def await_phase(self, phase: str) -> None:
        """Wait until the model is in a phase; the wait is a busy one, since some are short."""
        eventually(lambda: self.stage.status.get("phase") == phase, f"phase {phase}", _PHASE_SECONDS)

    def await_step(self, weight: int, *, verified: bool, within: float = _PHASE_SECONDS) -> None:
        """Wait until the step with this weight is intended, or verified."""

        def look() -> bool:
            step = self.stage.status.get("step") or {}
            return step.get("weight") == weight and ("verifiedAt" in step or not verified)

        eventually(look, f"the step with {weight} %", within)

    def await_repair(self, is_back: Callable[[], bool], what: str) -> None:
        """Wait until something is as it was, and note how long that took, or that it did not happen."""
        began = time.monotonic()
        try:
            eventually(is_back, f"{what} to be put back", _REPAIR_SECONDS)
        except AssertionError:
            self.remarks.append(f"{what} not put back within {_REPAIR_SECONDS:.0f} s")
        else:
            self.put_back_after = time.monotonic() - began

    @contextmanager
    def may_fail(self, afterwards: float) -> Iterator[None]:
        """Requests may fail while this context lasts, and for so many seconds afterwards."""
        start = time.time()
        try:
            yield
        finally:
            self.allowed.append(Period(start, time.time() + afterwards))

    def note_unless(self, look: Callable[[], object], what: str, within: float) -> None:
        """Wait for something that the specification asks for; a remark if it has not come in time."""
        try:
            eventually(look, what, within)
        except AssertionError:
            self.remarks.append(f"no {what} within {within:.0f} s")

    def note_blame(self) -> None:
        """Remark it if a revision was blamed for the fault."""
        blamed = [one["revision"] for one in self.stage.status.get("failed", [])]
        if blamed:
            self.remarks.append(f"blamed for it: {', '.join(blamed)}")

    def settled(self, phase: str) -> bool:
        """Whether the model rests in a phase."""
        return bool(self.stage.status.get("phase") == phase)

    def kubectl(self, *arguments: str) -> str:
        """kubectl in the model's namespace."""
        return self.stage.cluster.kubectl(f"--namespace={self.stage.namespace}", *arguments)

    def child(self, kind: str, suffix: str = "", *, name: str = NAME) -> dict[str, Any]:
        """One of the model's objects; AssertionError if it is not there, so that it can be awaited."""
        found = self.stage.read(kind, f"--field-selector=metadata.name={name}{suffix}")["items"]
        assert found, f"there is no {kind} {name}{suffix}"
        only: dict[str, Any] = found[0]
        return only


def two_pods(_: Stage) -> AbstractContextManager[Serving]:
    """The usual surroundings of a fault: every version is served by two pods, anywhere."""
    return nullcontext(lambda _: SERVING)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        name: How it is called in the table and on the command line.
        play: Brings it about and waits for its end.
        expected: Phase and stable version in which the specification lets it end.
        spares_clients: Whether the specification promises that no request fails, save while the scene allows it.
        alone: Whether other models suffer from it, so that nothing else may be played at the same time.
        candidate: The version that is rolled out meanwhile and fails by itself, if any.
        around: What it needs around it, from before the model serves until after its end.
        nodes: How many nodes the cluster must have.
    """

    name: str
    play: Callable[[Scene], None]
    expected: str
    spares_clients: bool
    alone: bool = False
    candidate: str = ""
    around: Callable[[Stage], AbstractContextManager[Serving]] = two_pods
    nodes: int = 1
