"""Checks that read a bucket, on the cluster: is what a rollback needs still there, and what have users asked before?"""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness.bucket import KEYS, bucket, put, remove
from tests.e2e.harness.docker import docker
from tests.e2e.harness.environment import Environment
from tests.e2e.harness.stage import AT_ONCE, NAME, Stage
from tests.waiting import eventually

SECRET = "store-reader"  # noqa: S105 - its name


@pytest.fixture
def store(stage: Stage) -> Iterator[str]:
    """The address of a store with the bucket `models`, whose keys are in a Secret of the stage's namespace."""
    metadata = {"name": SECRET, "namespace": stage.namespace}
    stage.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": KEYS})
    with bucket(stage.cluster, stage.namespace, "models") as url:
        yield url


@pytest.fixture
def model(environment: Environment, tmp_path: Path, container: str) -> bytes:
    """The file of version v1, which the image has."""
    docker("create", "--name", container, environment.image)
    docker("cp", f"{container}:/models/{NAME}/v1/model.onnx", str(tmp_path))
    return (tmp_path / "model.onnx").read_bytes()


def in_bucket(store: str) -> dict[str, Any]:
    """What a model, and a stored log, need to be read from the bucket."""
    return {"store": {"endpoint": store}, "credentialsSecretRef": {"name": SECRET}}


def test_rollback_ready_says_whether_the_files_of_a_kept_version_are_there(
    stage: Stage, store: str, model: bytes
) -> None:
    # given a version from a bucket, and the next one, which looks whether it could go back
    put(f"{store}/models/v1.onnx", model)
    source = {"uri": "s3://models/v1.onnx", "digest": f"sha256:{hashlib.sha256(model).hexdigest()}", **in_bucket(store)}
    stage.serve("v1", model={"version": "v1", **source})
    kept: dict[str, Any] = {"checks": {"kept": {}}}
    with stage.clients() as clients:
        clients.go_on()
        stage.apply("v2", rollout=AT_ONCE, **kept)
        stage.reaches("Stable", "v2")

    # then a Job has looked, and found them
    def found() -> str:
        ready = stage.condition("RollbackReady")
        assert "verified at" in ready.get("message", ""), str(ready)
        assert ready["status"] == "True"
        return str(ready["message"])

    message = eventually(found, "the look at v1")
    assert f"s3://models/v1.onnx is there, with 1 file of {len(model):,} bytes" in message

    # when they are gone by the next look; one who takes the check out and puts it back need not wait a day for it
    remove(f"{store}/models/v1.onnx")
    stage.apply("v2", rollout=AT_ONCE)
    stage.apply("v2", rollout=AT_ONCE, **kept)

    # then that is said, and the version that serves goes on
    def missed() -> str:
        ready = stage.condition("RollbackReady")
        assert (ready["status"], ready["reason"]) == ("False", "ArtifactMissing"), str(ready)
        return str(ready["message"])

    message = eventually(missed, "the second look at v1")
    assert message.startswith(f"{NAME}-1 (v1), which the command rollback brings back, cannot be run: spec.model.uri: ")
    assert stage.status["phase"] == "Stable"
    assert stage.answers()


LOGGED: dict[str, Any] = {"serving": {"log": {}}}
REPLAYED = re.compile(r"agreed on ([\d.]+)% of 100 logged requests of the last 1h")


def log_of(stage: Stage) -> bytes:
    """What the pods of blue have logged: a collector would store it."""
    here = f"--namespace={stage.namespace}"
    lines = stage.cluster.kubectl("logs", f"deployment/{NAME}-blue", "--container=api", "--tail=-1", here).splitlines()
    records = [line for line in lines if line.startswith("{") and "inputs" in json.loads(line)]
    assert len(records) >= 100, lines[-5:]
    return "\n".join(records).encode()


def agreed_on(message: str) -> float:
    """The share of the replayed requests that were answered as they were logged, in percent."""
    found = REPLAYED.search(message)
    assert found, message
    return float(found[1])


def test_what_users_have_asked_is_asked_again_before_any_traffic(stage: Stage, store: str) -> None:
    # given a version that logs its predictions, clients, and a bucket with the log
    stage.serve("v1", **LOGGED)
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()
        put(f"{store}/models/log/{datetime.now(UTC):%Y-%m-%dT%H-%M}.jsonl", log_of(stage))
        replay = {"uri": "s3://models/log/", "last": "1h", "max": 100, "minAgreement": "60%", **in_bucket(store)}
        checks = {"checks": {"replay": replay}}

        # when a version comes that answers them wrongly, then it is turned back before it has any traffic
        stage.apply("v7", **LOGGED, **checks)
        failed = stage.reaches("RolledBack", "v1")["failed"][0]["message"]
        assert "failed the check replay before any traffic: " in failed
        assert agreed_on(failed) < 60
        after = clients.go_on()

        # when one comes that answers them well, then it goes on to users
        stage.apply("v2", rollout=AT_ONCE, **LOGGED, **checks)
        status = stage.reaches("Stable", "v2")

    replayed = next(check for check in status["checks"] if check["name"] == "replay")
    print(f"{clients}; {replayed['message']}")
    assert replayed["result"] == "Passed"
    assert agreed_on(replayed["message"]) >= 60
    assert not clients.failed
    assert {answer.version for answer in after} == {"v1"}
    assert route.weights("green")[:2] == [0, 10]
