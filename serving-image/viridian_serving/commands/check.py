"""The container of a check: asks a candidate before its traffic, and says by its exit code whether it may go on."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec

from viridian_serving.artifacts.locate import ModelError, model_home
from viridian_serving.checks.agreement import Finding, agreement
from viridian_serving.checks.api_key import any_key
from viridian_serving.checks.golden import FILE, Golden, brief, difference
from viridian_serving.checks.inputs import read_golden, sample_body
from viridian_serving.checks.load import FAILED, Objective, measured, milliseconds
from viridian_serving.checks.load_check import LoadPlan, check_load
from viridian_serving.checks.schema_change import refusals
from viridian_serving.checks.sending import Post, at_rate
from viridian_serving.checks.target import Target
from viridian_serving.http1.client import PeerUnreachableError
from viridian_serving.settings import config
from viridian_serving.settings.config import Settings
from viridian_serving.settings.termination_log import report
from viridian_shared.durations import parse_duration
from viridian_shared.pod.check_variables import CANDIDATE_URL, CHECK, STABLE_URL
from viridian_shared.pod.exit_codes import CHECK_FAILED
from viridian_shared.pod.paths import CHECK_FILES

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


class Wish(msgspec.Struct, frozen=True, rename="camel"):
    """What the operator asks for, in VIRIDIAN_CHECK."""

    check: Literal["smoke", "golden", "load"]
    golden: GoldenWish = GoldenWish()
    load: LoadWish | None = None


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
            return await _smoke(settings, candidate, stable)
        except (PeerUnreachableError, TimeoutError) as error:
            why = str(error) or "it took too long"
            raise CannotRunError(f"no answer came: {why}; look at the candidate's pods") from error


async def _smoke(settings: Settings, candidate: Target, stable: Target | None) -> Finding:
    """The sample and stable's are answered; what is refused unlike by stable is told, as a version may be meant to."""
    reply = await candidate.predict(await sample_body(model_home(settings), candidate.get))
    if reply.status != 200:
        return Finding(False, f"the sample is answered with status {reply.status}: {brief(reply.body)}")
    if stable is None:
        return Finding(True, "the sample is answered")
    before, after = json.loads((await stable.get("/schema")).body), json.loads((await candidate.get("/schema")).body)
    narrower = refusals(before, after)
    example = json.dumps(before["example"]).encode()
    reply = await candidate.predict(example)
    if reply.status >= 500 and (await stable.predict(example)).status == 200:
        return Finding(False, f"stable's example is answered with status {reply.status}: {brief(reply.body)}")
    if reply.status != 200 and not narrower:
        narrower = [f"stable's example, with status {reply.status}: {brief(reply.body)}"]
    if not narrower:
        return Finding(
            True, "the sample and stable's example are answered, and the schema takes all that stable's takes"
        )
    return Finding(True, f"the sample is answered; unlike stable, it refuses {'; '.join(narrower)[:800]}")


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


def _lines(settings: Settings, wish: GoldenWish) -> list[Golden]:
    folder = Path(CHECK_FILES) if wish.source == "ConfigMap" else model_home(settings)
    lines = read_golden(folder)
    if not lines and (folder / FILE).is_file():
        raise CannotRunError(f"spec.checks.golden: {FILE} holds no request")
    if not lines:
        raise CannotRunError(
            f"spec.checks.golden: there is no {FILE} beside the model, {settings.model_uri}; viridian import writes one"
            if wish.source == "Model"
            else "spec.checks.golden.configMapRef: the ConfigMap has no such key"
        )
    return lines


def _share(text: str | None, otherwise: float) -> float:
    return otherwise if text is None else float(text.removesuffix("%")) / 100


if __name__ == "__main__":
    sys.exit(main())
