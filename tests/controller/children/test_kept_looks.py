"""The Job that looks at a kept revision: found by the time at which it began, and read as what it saw."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from tests.controller.fakes import NAMESPACE, FakeApi, model, spec, status
from tests.workloads.children import revision_of

from viridian.api.status import CheckResult
from viridian.controller.children.check_jobs import find_checks, find_kept, read_check
from viridian.kube.client import KubeClient
from viridian.kube.resources import JOB, POD
from viridian.workloads.kept import build_kept_job
from viridian_shared.pod.exit_codes import CHECK_FAILED

NOW = datetime(2026, 11, 30, 6, 12, tzinfo=UTC)
LOOKING = {"revision": "iris-1", "result": "Running", "startedAt": "2026-11-30T06:12:00Z"}


def looked(code: int | None, words: str = "") -> tuple[FakeApi, Any]:
    """A model at rest whose kept revision is looked at; the Job's pod has ended with an exit code, or runs."""
    api = FakeApi()
    made = model(status=status(phase="Stable", candidate=None, kept=LOOKING))
    job = build_kept_job(made.owner, revision_of(spec(), made.owner), "1130061200")
    if code is not None:
        kind = "Failed" if code else "Complete"
        job["status"] = {"conditions": [{"type": kind, "status": "True", "message": "it has ended"}]}
    api.put(JOB, job)
    (kept,) = [each for (kind, *_), each in api.objects.items() if kind is JOB]
    state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "message": words}}
    api.put(
        POD,
        {
            "metadata": {
                "name": "iris-1-kept-x",
                "labels": job["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [{"uid": kept["metadata"]["uid"]}],
            },
            "spec": {"containers": []},
            "status": {"phase": "Running", "containerStatuses": [{"name": "check", "state": state}]},
        },
    )
    return api, made


@pytest.mark.parametrize(
    ("code", "words", "result", "said"),
    [
        (None, "", CheckResult.RUNNING, ""),
        (0, "s3://models/iris/v1/ is there", CheckResult.PASSED, "s3://models/iris/v1/ is there"),
        (CHECK_FAILED, "spec.model.uri: it is gone", CheckResult.FAILED, "spec.model.uri: it is gone"),
        (69, "spec.model.credentialsSecretRef: no", CheckResult.CANNOT_RUN, "spec.model.credentialsSecretRef: no; "),
    ],
)
async def test_what_a_look_saw_is_read(code: int | None, words: str, result: CheckResult, said: str) -> None:
    api, made = looked(code, words)
    client = cast("KubeClient", api)
    job, pods = await find_kept(client, made)
    assert job is not None
    view = await read_check(client, job, pods, made.spec.checks, NOW)
    assert view.result is result
    assert view.message.startswith(said)
    assert job["metadata"]["name"] == "iris-1-kept-1130061200"
    assert job["metadata"]["namespace"] == NAMESPACE


async def test_a_look_is_no_check_of_a_candidate() -> None:
    # given a kept revision that comes back by command while its last look has not ended
    api, _ = looked(None)
    returning = {"color": "green", "revision": "iris-1", "version": "v1.0.0", "weight": 0, "ready": 2}
    rolling = model(status=status(candidate=returning))
    rolling.manifest["spec"]["checks"] = {"smoke": True}
    # when its checks are looked for, then the look is none of them
    jobs, _ = await find_checks(cast("KubeClient", api), rolling)
    assert jobs == {}


async def test_without_a_look_nothing_is_read() -> None:
    api = FakeApi()
    assert await find_kept(cast("KubeClient", api), model(status=status())) == (None, [])
    assert api.reads == []
