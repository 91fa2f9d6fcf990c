"""Serves a folder on this machine, as viridian-serve does, and asks it what lies beside the model."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from viridian_import.faults import ImportFault
from viridian_serving.artifacts.detect import LocalModel, find
from viridian_serving.artifacts.locate import ModelError, triton_model
from viridian_serving.checks.golden import Difference, Golden, difference, told_by_reason
from viridian_serving.checks.inputs import read_golden, sample_body
from viridian_serving.checks.load_check import LoadPlan, LoadReport, check_load
from viridian_serving.checks.smoke import check_smoke
from viridian_serving.checks.target import Target
from viridian_serving.commands.local_pod import run
from viridian_serving.commands.serve import TRUSTED, environment_of, free_ports
from viridian_serving.http1.client import PeerUnreachableError
from viridian_serving.inference.assets import ModelAssets
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.triton import shared_memory
from viridian_shared.pod import variables
from viridian_shared.pod.probes import READY

_HOST: Final = "127.0.0.1"
_PORTS: Final = (
    *("HTTP_PORT", "GRPC_PORT", "FALLBACK_PORT", "METRICS_PORT"),
    *("TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "TRITON_METRICS_PORT"),
)
_QUIET: Final = {variables.DRAIN_DELAY: "0s", "VIRIDIAN_GRACE": "1s"}
_RETRY: Final = 0.1
"""Seconds between two questions whether the model is ready."""
_READY: Final = 120.0
_ANSWER: Final = 60.0
_LIMIT: Final = 10.0
"""Times the objective's p99 after which a request under load counts as unanswered."""
_SHORTEST_LIMIT: Final = 1.0


@dataclass
class Report:
    """What was found."""

    asked: int = 0
    """Golden requests."""
    smoke: str = ""
    """How the sample was answered, as a sentence."""
    faults: list[str] = field(default_factory=list)
    """What is wrong beside golden answers, one sentence each."""
    differences: list[Difference] = field(default_factory=list)
    """Golden answers that are not as written down."""
    is_whole: bool = False
    """Whether everything was asked: a signal may have come before."""
    load: LoadReport | None = None
    """None where no load was asked for, or other answers are wrong already."""
    log: Path | None = None
    """What the pod logged, kept where something is wrong."""

    @property
    def told(self) -> list[str]:
        """All that is wrong with the answers, one sentence each; equal ones are one, with their number."""
        return [*self.faults, *told_by_reason(self.differences)]


def check(folder: Path, load_plan: LoadPlan | None = None, *, trusted: bool = False) -> Report:
    """Serve a folder and check it.

    Args:
        folder: A version of a model.
        load_plan: The load to put on it; None for none.
        trusted: Whether the user trusts its author, where loading it runs code.

    Returns:
        What was found.

    Raises:
        ImportFault: It cannot be served, or holds no model.
    """
    try:
        model = find(folder)
    except ModelError as error:
        raise ImportFault(str(error)) from None
    home = _home(model)
    golden = _golden(home)
    report = Report()
    ports = dict(zip(_PORTS, free_ports(_HOST, *[0] * len(_PORTS)), strict=True))
    with tempfile.TemporaryDirectory(prefix="viridian-check-") as directory:
        environ = {**os.environ, **_QUIET, **(TRUSTED if trusted else {})}
        environment = environment_of(model, ports, _HOST, Path(directory), environ)
        settings = config.load(environment)
        with open(Path(directory, "pod.log"), "w", encoding="utf-8") as log:
            asking = partial(_checked, settings, home, golden, load_plan, report)
            end = asyncio.run(run(environment, asking, lambda line: print(line, file=log)))
        shared_memory.clear(settings.pod_uid)
        if not end.by_signal or report.told:
            report.log = _kept(log.name)
    if not end.by_signal:
        raise ImportFault("\n".join([f"{folder} cannot be served", *end.reasons, f"The pod's log is {report.log}"]))
    if not report.is_whole:
        raise ImportFault("the check was interrupted by a signal, so nothing is known; run it again")
    return report


def _kept(log: str) -> Path:
    """Move a log to where it stays, in a folder that only this user can read."""
    return Path(shutil.move(log, tempfile.mkdtemp(prefix="viridian-check-")))


def _home(model: LocalModel) -> Path:
    if model.format == "triton":
        return triton_model(model.path)
    return model.path if model.path.is_dir() else model.path.parent


def _golden(home: Path) -> list[Golden]:
    try:
        return read_golden(home)
    except ValueError as error:
        raise ImportFault(str(error)) from None


async def _checked(
    settings: Settings, home: Path, golden: list[Golden], load_plan: LoadPlan | None, report: Report
) -> None:
    """Ask everything, and then end the pod as Ctrl-C does."""
    with closing(Target(f"http://{_HOST}:{settings.http_port}", "the API", "", _ANSWER)) as api:
        await _ask_all(api, settings, home, golden, load_plan, report)
        report.is_whole = True
    # Not where this was cancelled: then the pod has ended, and that is no success.
    os.kill(os.getpid(), signal.SIGTERM)


async def _ask_all(
    api: Target, settings: Settings, home: Path, golden: list[Golden], load_plan: LoadPlan | None, report: Report
) -> None:
    if why := await _wait(api):
        report.faults.append(f"the model did not get ready within {_READY:g} s: {why}")
        return
    sample = await sample_body(home, api.get)
    found = await check_smoke(sample, api, None, ModelAssets.find(settings).contract)
    report.smoke = found.sentence
    if not found.passed:
        report.faults.append(found.sentence)
    for line in golden:
        reply = await api.predict(msgspec.json.encode(line.request))
        report.asked += 1
        if told := difference(line, reply.status, reply.body):
            report.differences.append(told)
    if load_plan is not None and not report.told:
        questions = [line for line in golden if line.status == 200] or [Golden("the sample", json.loads(sample), 200)]
        limit = max(_SHORTEST_LIMIT, _LIMIT * load_plan.objective.p99)
        report.load = await check_load(partial(api.predict, seconds=limit), questions, load_plan)


async def _wait(api: Target) -> str:
    loop = asyncio.get_running_loop()
    until, why = loop.time() + _READY, ""
    while loop.time() < until:
        try:
            reply = await api.get(READY)
        except PeerUnreachableError as error:
            why = str(error)
        else:
            if reply.status == 200:
                return ""
            why = str(json.loads(reply.body)["detail"])
        await asyncio.sleep(_RETRY)
    return why
