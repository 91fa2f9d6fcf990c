"""From a fault to its row: the stage is set, the fault is played, what came of it is counted."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.harness.environment import Environment
from tests.e2e.harness.stage import Stage

from .rows import Row, count
from .scene import STABLE, Fault, Scene, Serving

_RATE = 60.0
"""Requests a second, so many that a step is judged within its hold, and so few that two models fit on two cores."""
_BEFORE, _AFTER = 120, 180
"""Requests before the fault, and after its end, in which what it left behind would show."""
_LANES = 2


class Turns:
    """Who may play: any number of faults that hit their own model only, or one that hits all."""

    def __init__(self) -> None:
        """Begin with nobody playing."""
        self._changed = threading.Condition()
        self._playing = 0
        self._alone = False

    @contextmanager
    def of(self, fault: Fault) -> Iterator[None]:
        """Wait for the fault's turn."""
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not (fault.alone and self._playing))
            self._playing, self._alone = self._playing + 1, fault.alone
        try:
            yield
        finally:
            with self._changed:
                self._playing, self._alone = self._playing - 1, False
                self._changed.notify_all()


def play_all(faults: Sequence[Fault], environment: Environment, logs: Path, tell: Callable[[Row], None]) -> list[Row]:
    """Play all of them, each on its own model.

    Models are brought up beside one another, as they take their time to start.

    Args:
        faults: What to play.
        environment: The cluster.
        logs: Where to write what the cluster says of a fault that did not end as expected.
        tell: Is given every row as soon as it is there.

    Returns:
        The rows in the order of the faults.
    """
    turns = Turns()

    def play(fault: Fault) -> Row:
        row = _play(fault, environment, turns, logs)
        tell(row)
        return row

    with ThreadPoolExecutor(_LANES) as lanes:
        return list(lanes.map(play, faults))


def _play(fault: Fault, environment: Environment, turns: Turns, logs: Path) -> Row:
    with (
        tempfile.TemporaryDirectory(prefix="viridian-faults-") as folder,
        Stage.of_its_own(environment, "fault", Path(folder)) as stage,
        fault.around(stage) as serving,
    ):
        try:
            stage.serve(STABLE, serving=dict(serving(STABLE)))
        except Exception as error:  # noqa: BLE001 - as below
            return _unplayed(fault, stage, error, logs)
        with turns.of(fault):
            return _play_on(stage, fault, serving, logs)


def _play_on(stage: Stage, fault: Fault, serving: Serving, logs: Path) -> Row:
    clients = stage.clients(_RATE)
    with clients:
        scene = Scene(stage, clients, serving)
        clients.go_on(_BEFORE)
        try:
            fault.play(scene)
            clients.go_on(_AFTER)
        except Exception as error:  # noqa: BLE001 - also a row: the table has to say so, and others are to be played
            scene.remarks.append(_first_line(error))
        ended_as = "; ".join([_where(stage), *scene.remarks])
    numbers: dict[str, Any] = count(clients.answers, fault.candidate, scene.allowed)
    row = Row(
        fault=fault.name,
        ended_as=ended_as,
        expected=fault.expected,
        spared=fault.spares_clients,
        put_back_seconds=None if scene.put_back_after is None else round(scene.put_back_after, 1),
        **numbers,
    )
    if not row.is_as_expected:
        _keep(stage, fault, clients.records, logs)
    return row


def _unplayed(fault: Fault, stage: Stage, why: Exception, logs: Path) -> Row:
    _keep(stage, fault, None, logs)
    return Row(fault.name, 0, 0, f"not played: {_first_line(why)}", fault.expected, fault.spares_clients)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _where(stage: Stage) -> str:
    status = stage.status
    return f"{status.get('phase')} {(status.get('stable') or {}).get('version')}"


def _keep(stage: Stage, fault: Fault, records: Path | None, logs: Path) -> None:
    """Write down what the cluster says, and what clients got, while it is still there."""
    logs.mkdir(parents=True, exist_ok=True)
    file = logs / "".join(letter if letter.isalnum() else "-" for letter in fault.name)
    file.with_suffix(".txt").write_text(stage.explain())
    if records is not None:
        shutil.copyfile(records, file.with_suffix(".jsonl"))
