"""When this pod may be given traffic: from one real inference on, until it is stopped or has no fallback either.

A model that fails does not turn a pod off whose requests stable answers: unready, with weight, it would be a 503 at the
gateway, with nobody to rescue it, and which no guard would see. Without such help it is turned off, so that other pods
of its color get its share, until the model answers again. (When the triton container itself ends, the kubelet takes the
pod out until it runs again, whatever is said here.)
"""

from collections.abc import Callable, Mapping

import msgspec

from viridian_serving.contract.compatibility import Coverage, Interface
from viridian_serving.contract.contract import Contract


class Readiness:
    """The switch and the reason why it is off."""

    def __init__(self, rescued: Callable[[], bool]) -> None:
        """Start switched off.

        Args:
            rescued: Tells whether stable answers what the model fails.
        """
        self._rescued = rescued
        self._started = False
        self._stopping = False
        self._why = "Triton has not loaded the model yet"
        self._trouble: str | None = None

    @property
    def ready(self) -> bool:
        """Whether the pod may be given traffic."""
        return self._started and not self._stopping and (self._trouble is None or self._rescued())

    @property
    def status(self) -> str:
        """One word for ``/health``."""
        if self._stopping:
            return "stopping"
        if not self._started:
            return "starting"
        return "ok" if self._trouble is None else "failing"

    @property
    def reason(self) -> str:
        """Why it is off, or what is wrong though it is on."""
        if self._stopping:
            return "the pod is being stopped"
        return self._why if not self._started else self._trouble or "ready"

    def wait_for(self, why: str) -> None:
        """Say why the pod has not started yet."""
        self._why = why

    def start(self) -> None:
        """Record that the model has answered for the first time."""
        self._started = True

    def fail(self, trouble: str) -> None:
        """Record that the model has stopped answering."""
        self._trouble = trouble

    def recover(self) -> None:
        """Record that it answers again."""
        self._trouble = None

    def stop(self) -> None:
        """Note, once for all, that the pod is being stopped."""
        self._stopping = True


def health(
    status: str,
    identity: dict[str, str],
    contract: Contract | None,
    covered: Coverage,
    tuning: Mapping[str, int | None] | None = None,
) -> bytes:
    """Write the body of ``/health``.

    Args:
        status: One word.
        identity: Model, version and revision.
        contract: What the API takes and gives; None before the model is loaded.
        covered: What stable can answer instead of this pod.
        tuning: By what numbers the model is called; None before it is loaded.
    """
    known: dict[str, object] = dict.fromkeys(
        ("input_schema", "features", "answers", "protocol", "inputs", "outputs", "batch"), None
    )
    if contract is not None:
        known |= msgspec.to_builtins(Interface.of(contract))
        known["inputs"] = [tensor.describe() for tensor in contract.model.inputs]
        known["batch"] = contract.model.batching.describe()
    told = {"covers": covered.covers, "reason": covered.reason}
    return msgspec.json.encode({"status": status, **identity, **known, "tuning": tuning, "fallback": told})
