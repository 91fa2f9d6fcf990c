"""Read the Jobs of a candidate's checks: do they run, and what have they found."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from viridian.api.checks import KEPT, OWN, Checks
from viridian.api.names import LABEL_REVISION
from viridian.api.status import CheckResult
from viridian.controller.cache.models import Model
from viridian.kube.client import KubeClient, Manifest
from viridian.kube.resources import JOB, POD
from viridian.rollout.kept import look_of
from viridian.rollout.observed import CheckView
from viridian.workloads.checks import CONTAINER, LABEL_CHECK
from viridian.workloads.kept import kept_job_name
from viridian_shared.pod.exit_codes import CHECK_FAILED

from .adoption import is_owned
from .pod_events import find_events, trouble_in
from .pods import read_pods

_DEADLINE: Final = "DeadlineExceeded"


async def find_checks(client: KubeClient, model: Model) -> tuple[dict[str, Manifest], list[Manifest]]:
    """The Jobs of the candidate's checks by the checks' names, and all their pods; none where nothing is to be seen."""
    status = model.status
    candidate = status.candidate
    # Once it has a step and none runs, nobody asks any more: a rollout may take hours, a look each second.
    is_open = status.step is None or any(check.result is CheckResult.RUNNING for check in status.checks)
    if candidate is None or not is_open or not (model.spec.checks.names_with(smoke=True) or status.checks):
        return {}, []
    labels = {LABEL_REVISION: candidate.revision}
    jobs, pods = await asyncio.gather(client.find(JOB, model.key[0], labels), client.find(POD, model.key[0], labels))
    ours = {job["metadata"]["labels"].get(LABEL_CHECK, ""): job for job in jobs if is_owned(job, model)}
    ours.pop(KEPT, None)  # which is of the time before it became the candidate
    return ours, [pod for pod in pods if LABEL_CHECK in pod["metadata"]["labels"]]


async def find_kept(client: KubeClient, model: Model) -> tuple[Manifest | None, list[Manifest]]:
    """The Job of the present look at what a rollback goes back to, if one is under way, and its pods."""
    kept = model.status.kept
    if kept is None or kept.started_at is None:
        return None, []
    name = kept_job_name(kept.revision, look_of(kept.started_at))
    job = await client.get(JOB, model.key[0], name)
    if job is None or not is_owned(job, model):
        return None, []
    labels = {LABEL_REVISION: kept.revision, LABEL_CHECK: KEPT}
    return job, await client.find(POD, model.key[0], labels)


async def read_check(
    client: KubeClient, job: Manifest, pods: Iterable[Manifest], checks: Checks, now: datetime
) -> CheckView:
    """How one Job stands.

    Args:
        client: reads.
        job: the Job.
        pods: pods of any checks.
        checks: what the spec asks for, for the words of a message.
        now: the time, with a zone.
    """
    mine = [pod for pod in pods if _belongs(pod, job)]
    mine.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    conditions = {c["type"]: c for c in (job.get("status") or {}).get("conditions") or [] if c["status"] == "True"}
    if "Complete" in conditions:
        return CheckView(CheckResult.PASSED, _last_words(mine) or "it ended with exit code 0")
    ended = conditions.get("Failed") or conditions.get("FailureTarget")
    if ended is not None:
        return _failure(job, mine, checks, str(ended.get("message", "")))
    if not mine:
        told = trouble_in(await find_events(client, job), job)
        return CheckView(CheckResult.CANNOT_RUN, told) if told else CheckView(CheckResult.RUNNING)
    troubles = [pod.trouble for pod in await read_pods(client, mine, now) if pod.trouble]
    return CheckView(CheckResult.CANNOT_RUN, troubles[0]) if troubles else CheckView(CheckResult.RUNNING)


def _failure(job: Manifest, pods: list[Manifest], checks: Checks, message: str) -> CheckView:
    """Whether a Job that has failed says something about the model, or only about itself."""
    name, check = job["metadata"]["name"], job["metadata"]["labels"][LABEL_CHECK]
    again = f"delete Job {name} to run it again"
    mine = check not in OWN
    ended = _ended(pods[-1]) if pods else None
    late = bool(pods) and (pods[-1].get("status") or {}).get("reason") == _DEADLINE
    wanted = checks.job(check)
    if late and mine and wanted is not None and (ended is not None or _started(pods[-1])):
        return CheckView(
            CheckResult.FAILED,
            f"it did not end within {wanted.timeout} (checks.jobs, timeout): kubectl logs job/{name}",
        )
    if ended is None:
        return CheckView(CheckResult.CANNOT_RUN, f"its pod never ran: {message}; {again}")
    code, said = ended.get("exitCode", 0), str(ended.get("message", "")).strip()[-1024:]
    bare = f"it ended with exit code {code} ({ended.get('reason', 'Error')})"
    if mine or code == CHECK_FAILED:
        return CheckView(CheckResult.FAILED, said or f"{bare}: kubectl logs job/{name}")
    return CheckView(CheckResult.CANNOT_RUN, f"{said or bare}; {again}")


def _belongs(pod: Manifest, job: Manifest) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == job["metadata"]["uid"] for owner in owners)


def _container(pod: Manifest) -> dict[str, Any]:
    found = (each for each in (pod.get("status") or {}).get("containerStatuses") or [] if each["name"] == CONTAINER)
    return next(found, {})


def _ended(pod: Manifest) -> dict[str, Any] | None:
    ended: dict[str, Any] | None = (_container(pod).get("state") or {}).get("terminated")
    return ended


def _started(pod: Manifest) -> bool:
    return bool(_container(pod).get("started") or _container(pod).get("lastState"))


def _last_words(pods: list[Manifest]) -> str:
    ended = _ended(pods[-1]) if pods else None
    return "" if ended is None else str(ended.get("message", "")).strip()[:1024]
