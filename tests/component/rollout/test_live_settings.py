"""What running pods reload: no new revision, no new pod."""

import json
from typing import Any

from tests.component.harness.stage import Stage
from tests.waiting import eventually

CACHE = {"ttl": "30s", "staleIfError": "5m", "maxSize": "64Mi"}
LOG = {"sink": "Stdout", "sample": "1.0", "redact": [{"name": "age", "action": "Mask"}], "queueSize": "16Mi"}
ASKED = {
    "cache": {"ttl": "30s", "staleIfError": "5m"},
    "rateLimit": {"requestsPerSecond": 200},
    "log": {"redact": [{"name": "age"}]},
}
TOLD = {"cache": CACHE, "rateLimit": {"requestsPerSecond": 200}, "log": LOG}


def pods(stage: Stage) -> set[str]:
    """The model's pods, by UID."""
    return {pod.metadata.uid for pod in stage.control_plane.core.list_namespaced_pod(stage.namespace).items}


def told(stage: Stage) -> Any:
    """What the model's pods are told."""
    found = stage.control_plane.core.list_namespaced_config_map(
        stage.namespace, field_selector="metadata.name=iris-serving"
    ).items
    return json.loads(found[0].data["serving.json"]) if found else None


def test_a_change_of_cache_rate_limit_or_log_reaches_the_pods_that_run(stage: Stage) -> None:
    # given a model that asks for none
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    before = pods(stage)
    assert told(stage) is None

    # when it asks for all
    stage.patch({"spec": {"serving": ASKED}})
    eventually(lambda: told(stage) == TOLD, "all to be told")

    # when somebody edits that
    core = stage.control_plane.core
    core.patch_namespaced_config_map("iris-serving", stage.namespace, {"data": {"serving.json": "{}"}})
    eventually(lambda: told(stage) == TOLD, "it to be put back")

    # when it asks for none again
    stage.patch({"spec": {"serving": dict.fromkeys(ASKED)}})
    eventually(lambda: told(stage) == {}, "all to be off")

    # then the same pods of the same revision served all the time
    assert pods(stage) == before
    assert stage.status["lastRevision"] == 1
    assert stage.status["phase"] == "Stable"


def test_a_stranger_s_config_map_is_in_the_way_only_of_a_model_that_needs_the_name(stage: Stage) -> None:
    # given
    core = stage.control_plane.core
    core.create_namespaced_config_map(stage.namespace, {"metadata": {"name": "iris-serving"}, "data": {"a": "b"}})
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    # when
    stage.patch({"spec": {"serving": {"cache": {"ttl": "30s"}}}})
    # then
    eventually(lambda: "ConfigMap iris-serving belongs to nobody" in stage.condition("Stalled")["message"], "the word")
    assert core.read_namespaced_config_map("iris-serving", stage.namespace).data == {"a": "b"}
