"""A stable pod, a candidate, and the Service between them; both with a real Triton."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from tests.serving import models
from tests.serving.pod import Pod, running_pod
from tests.serving.service import Service, service
from tests.waiting import eventually

FEW = partial(models.lookup, size=2)
"""Fails for the indices 2 to 9, and answers the trial input."""
BY_ROUTE = {"Viridian_Via": "split"}


@dataclass
class Pair:
    stable: Pod
    candidate: Pod
    service: Service

    def wait_until_known(self) -> None:
        """Until the candidate knows who is stable: then a failure is answered by it."""
        eventually(lambda: self.candidate.predict({"i": 9}, **BY_ROUTE).status == 200, self.candidate.log)


@contextmanager
def two_pods(
    directory: Path,
    make_candidate: Callable[[Path], object] = FEW,
    make_stable: Callable[[Path], object] = models.lookup,
    both: Mapping[str, str] = MappingProxyType({}),
    **settings: str,
) -> Iterator[Pair]:
    with ExitStack() as stack:
        name = stack.enter_context(service())
        stable = stack.enter_context(
            running_pod(directory / "stable", make_stable, STABLE=name.address, COLOR="blue", REVISION="m-1", **both)
        )
        name.target = stable.ports["FALLBACK_PORT"]
        candidate = stack.enter_context(
            running_pod(
                directory / "candidate",
                make_candidate,
                **{
                    "STABLE": name.address,
                    "COLOR": "green",
                    "REVISION": "m-2",
                    "TIMEOUT": "3s",
                    "FALLBACK_AFTER": "500ms",
                    **both,
                    **settings,
                },
            )
        )
        yield Pair(stable, candidate, name)
