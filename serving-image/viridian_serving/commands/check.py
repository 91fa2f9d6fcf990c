"""The container of a check: asks a candidate before its traffic, and says by its exit code whether it may go on."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, aclosing, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from viridian_serving.artifacts.golden_file import GOLDEN_FILE
from viridian_serving.artifacts.locate import ModelError, model_home
from viridian_serving.artifacts.retries import PassingError
from viridian_serving.artifacts.stores.folder import Folder
from viridian_serving.artifacts.stores.opening import open_store
from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Store
from viridian_serving.checks.agreement import Finding, agreement
from viridian_serving.checks.api_key import any_key
from viridian_serving.checks.golden import Golden, difference
from viridian_serving.checks.inputs import read_golden, sample_body
from viridian_serving.checks.load import FAILED, Objective, measured, milliseconds
from viridian_serving.checks.load_check import LoadPlan, check_load
from viridian_serving.checks.logged import Wanted, read_log
from viridian_serving.checks.replay import agreement_with_log, omissions, replay
from viridian_serving.checks.sending import Post, at_rate
from viridian_serving.checks.smoke import check_smoke
from viridian_serving.checks.target import Target
from viridian_serving.http1.client import PeerUnreachableError
from viridian_serving.inference.assets import ModelAssets
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.settings.termination_log import report
from viridian_shared.durations import parse_duration
from viridian_shared.pod import paths
from viridian_shared.pod.check_variables import CANDIDATE_URL, CHECK, STABLE_URL
from viridian_shared.pod.exit_codes import CHECK_FAILED

PASSED, CANNOT_RUN = 0, 69
"""Exit codes; a model that fails is CHECK_FAILED."""
_MORE: Final = 4.0
"""Times the rate that is asked for up to which the highest one is looked for: beyond, neighbours would feel it."""
_OVER: Final = 5.0
"""Seconds beyond the API's own time limit for which an answer is waited for."""
_CONTROL: Final = 0.1
"""Share of the rate, and of the requests, by which stable is measured."""
_FEWEST: Final = 100
_LIMIT: Final = 10.0
"""Times the objective's p99 after which a request under load counts as unanswered."""


class CannotRunError(Exception):
    """The check says nothing about the model; the message says why, and the way out."""


class GoldenWish(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.checks.golden`."""

    source: Literal["Model", "ConfigMap"] = msgspec.field(default="Model", name="from")
    tolerance: str | None = None
    min_agreement: str | None = None


class LoadWish(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.checks.load`."""

    requests: int
    rate: int
    p99: str | None = None
    max_errors: str | None = None
    compared_with_stable: str | None = None


class LogStore(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.checks.replay.store`; its certificates are mounted."""

    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None
    anonymous: bool = False


class ReplayWish(msgspec.Struct, frozen=True, rename="camel"):
    """`spec.checks.replay`, and which features the log's records lack."""

    uri: str
    last: str
    max: int
    min_agreement: str | None = None
    store: LogStore = LogStore()
    dropped: list[str] = []


class Wish(msgspec.Struct, frozen=True, rename="camel"):
    """What the operator asks for, in VIRIDIAN_CHECK."""

    check: Literal["smoke", "golden", "load", "replay"]
    golden: GoldenWish = GoldenWish()
    load: LoadWish | None = None
    replay: ReplayWish | None = None


def main() -> int:
    """Run the container.

    Returns:
        The exit code: 0 when the check was passed, 65 when the model failed it, 69 when it could not be made.
    """
    log = config.termination_log(os.environ)
    try:
        settings = config.load(os.environ)
        finding = asyncio.run(_check(settings, os.environ))
    except config.ConfigError as error:
        report(log, error.sentences)
        return CANNOT_RUN
    except (CannotRunError, ModelError, ValueError) as error:
        report(log, [str(error)])
        return CANNOT_RUN
    report(settings.termination_log, [finding.sentence])
    return PASSED if finding.passed else CHECK_FAILED


async def _check(settings: Settings, environ: Mapping[str, str]) -> Finding:
    wish = msgspec.json.decode(environ[CHECK], type=Wish)
    key = any_key(settings)
    stable_url = environ.get(STABLE_URL)
    with ExitStack() as open_targets:

        def target(url: str, name: str) -> Target:
            # The API itself answers once its own time is up; that is the model's fault, and not to be met before.
            return open_targets.enter_context(closing(Target(url, name, key, settings.timeout + _OVER)))

        candidate = target(environ[CANDIDATE_URL], "the candidate")
        stable = target(stable_url, "stable") if stable_url else None
        try:
            if wish.check == "golden":
                return await _golden(settings, wish.golden, candidate)
            if wish.check == "load" and wish.load is not None:
                return await _load(settings, wish.load, candidate, stable)
            if wish.check == "replay" and wish.replay is not None:
                return await _replay(settings, wish.replay, candidate)
            sample = await sample_body(model_home(settings), candidate.get)
            return await check_smoke(sample, candidate, stable, ModelAssets.find(settings).contract)
        except (PeerUnreachableError, TimeoutError) as error:
            why = str(error) or "it took too long"
            raise CannotRunError(f"no answer came: {why}; look at the candidate's pods") from error


async def _golden(settings: Settings, wish: GoldenWish, candidate: Target) -> Finding:
    lines = _lines(settings, wish)
    found = []
    for line in lines:
        expected = line if wish.tolerance is None else msgspec.structs.replace(line, tolerance=float(wish.tolerance))
        reply = await candidate.predict(msgspec.json.encode(line.request))
        found.append(difference(expected, reply.status, reply.body))
    return agreement(found, _share(wish.min_agreement, 1.0))


async def _load(settings: Settings, wish: LoadWish, candidate: Target, stable: Target | None) -> Finding:
    home = model_home(settings)
    questions = [line for line in read_golden(home) if line.status == 200]
    if not questions:
        questions = [Golden("the sample", json.loads(await sample_body(home, candidate.get)), 200)]
    # Whether answers are right is the golden check's affair; here, only whether and how soon they come.
    questions = [msgspec.structs.replace(line, answer=None) for line in questions]
    p99 = FAILED if wish.p99 is None else parse_duration(wish.p99).total_seconds()
    told = ""
    if wish.compared_with_stable is not None and stable is not None:
        count = max(_FEWEST, int(wish.requests * _CONTROL))
        control = measured(await at_rate(_post(stable), questions, wish.rate * _CONTROL, count))
        p99 = min(p99, float(wish.compared_with_stable) * control.p99)
        told = f"; stable's p99 is {milliseconds(control.p99)} at a tenth of the rate"
    plan = LoadPlan(
        Objective(p99, _share(wish.max_errors, 0.0)),
        wish.requests,
        rate=float(wish.rate),
        least=float(wish.rate),
        most=wish.rate * _MORE,
    )
    found = await check_load(_post(candidate, _LIMIT * p99), questions, plan)
    return Finding(not found.faults, "; ".join([*found.faults, *found.lines]) + told)


def _post(target: Target, seconds: float = FAILED) -> Post:
    return partial(target.predict, seconds=max(1.0, seconds))


async def _replay(settings: Settings, wish: ReplayWish, candidate: Target) -> Finding:
    least = None if wish.min_agreement is None else _share(wish.min_agreement, 1.0)
    since = datetime.now(UTC) - parse_duration(wish.last)
    sensitive = [
        feature["name"]
        for feature in json.loads((await candidate.get("/schema")).body)["features"]
        if feature.get("sensitive")
    ]
    dropped = {*sensitive, *wish.dropped}
    try:
        async with aclosing(_log_store(settings, wish)) as store:
            log = await read_log(store, Wanted(settings.namespace, settings.model, since, wish.max, dropped))
    except (ModelError, PassingError, ValueError) as error:
        # Stores speak of the field of the model, which they were made for.
        said = str(error).replace("spec.model.", "spec.checks.replay.")
        field = "" if said.startswith("spec.checks.replay.") else "spec.checks.replay: "
        raise CannotRunError(f"{field}{said}") from error
    if log.records:
        return agreement_with_log(await replay(candidate.predict, log), log, wish.last, least)
    none = "; ".join([f"{wish.uri} has no request of the last {wish.last} that can be asked again", *omissions(log)])
    if least is not None:
        raise CannotRunError(f"spec.checks.replay: {none}; see serving.log and where its records are collected")
    return Finding(True, none)


def _log_store(settings: Settings, wish: ReplayWish) -> Store:
    address = urlsplit(wish.uri)
    if address.scheme == "pvc":
        return Folder(Path(paths.LOG) / address.path.lstrip("/"), wish.uri)
    authorities = Path(paths.LOG_AUTHORITIES) / paths.STORE_AUTHORITIES_FILE
    store = wish.store
    return open_store(
        Source(
            wish.uri,
            settings.fetch_timeout,
            Path(paths.LOG_CREDENTIALS),
            store.endpoint,
            store.region,
            store.path_style,
            store.anonymous,
            authorities if authorities.is_file() else None,
        )
    )


def _lines(settings: Settings, wish: GoldenWish) -> list[Golden]:
    folder = Path(paths.CHECK_FILES) if wish.source == "ConfigMap" else model_home(settings)
    lines = read_golden(folder)
    if not lines and (folder / GOLDEN_FILE).is_file():
        raise CannotRunError(f"spec.checks.golden: {GOLDEN_FILE} holds no request")
    if not lines:
        raise CannotRunError(
            f"spec.checks.golden: there is no {GOLDEN_FILE} beside the model, {settings.model_uri};"
            " viridian import writes one"
            if wish.source == "Model"
            else "spec.checks.golden.configMapRef: the ConfigMap has no such key"
        )
    return lines


def _share(text: str | None, otherwise: float) -> float:
    return otherwise if text is None else float(text.removesuffix("%")) / 100


if __name__ == "__main__":
    sys.exit(main())
