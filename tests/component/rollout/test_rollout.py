"""Rollouts by the real operator against a real control plane and a real Prometheus; pods and requests are scripted."""

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.component.harness.api_proxy import ApiProxy, Fault, Request, nth
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import open_url
from tests.component.harness.pods import cannot_pull, crash, wait_for_pods
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.stage import LONG, LONG_BAKE, Stage, stage_in
from tests.waiting import DEADLINE, eventually, stays

from viridian.api.names import Color
from viridian.controller.cache.models import Model
from viridian.controller.routing.router import Site, Split
from viridian.controller.routing.routers import GATEWAY_ROUTER
from viridian.kube.client import KubeClient
from viridian.kube.errors import Conflict

GREEN = "viridian.dev/color=green"


def test_a_good_model_is_promoted(stage: Stage) -> None:
    # given a first revision that serves
    stage.apply("v1.0.0")
    first = stage.reaches("Stable", "v1.0.0")
    assert first["stable"]["color"] == "blue"
    template = stage.deployment("blue").spec.template.to_dict()

    # when a better one is applied
    stage.apply("v2.0.0", rollout=LONG)
    stage.reaches("Progressing")

    # then stable's pods stay as they are while it walks up, and it takes over
    assert stage.deployment("blue").spec.template.to_dict() == template
    stage.apply("v2.0.0")
    status = stage.reaches("Stable", "v2.0.0")
    assert status["stable"]["color"] == "green"
    assert stage.weights == {"iris-blue": 0, "iris-green": 100}
    assert stage.selected == "green"
    assert stage.deployment("blue").spec.replicas == 0
    assert [entry["result"] for entry in status["history"]] == ["Promoted", "Promoted"]
    assert stage.condition("Ready")["status"] == "True"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [("errors", {}), ("latency", {"guards": {"latency": [{"percentile": "95", "max": "200ms"}]}})],
)
def test_a_bad_model_is_taken_back(stage: Stage, kind: str, spec: dict[str, Any]) -> None:
    # given stable, and a candidate that fails (or crawls) for a third of its requests
    stage.apply("v1.0.0", **spec)
    stage.reaches("Stable", "v1.0.0")
    chance = random.Random(7)
    bad = ("error", 0.02) if kind == "errors" else ("ok", 0.8)

    def outcome(revision: str) -> tuple[str, float]:
        return bad if revision == "iris-2" and chance.random() < 0.33 else ("ok", 0.02)

    stage.users.outcome = outcome

    # when it is applied
    stage.apply("v2.0.0", **spec, rollout=LONG_BAKE)

    # then it is rolled back, pinned, and said so
    status = stage.reaches("RolledBack", "v1.0.0")
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}
    assert stage.route["metadata"]["annotations"]["viridian.dev/aborted"] == "iris-2"
    assert status["failed"][0]["reason"] == "GuardBreached"
    assert status["history"][0]["evidenceAt"] <= status["history"][0]["revertedAt"]
    assert stage.condition("Ready")["reason"] == "RolledBack"
    assert stage.condition("Available")["status"] == "True"

    # and applying the same manifest again changes nothing
    before = stage.route["metadata"]["annotations"]
    stage.apply("v2.0.0", **spec, rollout=LONG_BAKE, revisionHistoryLimit=4)
    stays(lambda: stage.status["phase"] == "RolledBack", "the failed revision to stay away", during=3)
    assert stage.route["metadata"]["annotations"] == before


@pytest.mark.usefixtures("crd", "gateway_api")
@pytest.mark.parametrize("phase", ["Starting", "Progressing", "Baking", "Finishing"])
def test_the_operator_killed_in_the_middle_of_a_rollout_goes_on(
    control_plane: ControlPlane, prometheus: Prometheus, namespace: str, logs: Path, phase: str
) -> None:
    # given a rollout
    with (
        ApiProxy(control_plane.url, control_plane.certificate) as proxy,
        stage_in(namespace, control_plane, prometheus, logs / namespace, proxy, forked=True) as stage,
    ):
        stage.apply("v1.0.0")
        stage.reaches("Stable", "v1.0.0")

        # when the operator is killed as soon as it has written that a phase begins, and comes back
        def begins(request: Request) -> bool:
            is_status = (request.method, request.resource) == ("PUT", "modeldeployments/status")
            return is_status and json.loads(request.body)["status"].get("phase") == phase

        killed = threading.Event()

        def kill() -> None:
            stage.operator.kill()
            killed.set()

        proxy.rule = nth(1, begins, Fault(forwarded=True, act=kill))
        stage.apply("v2.0.0")
        assert killed.wait(DEADLINE), f"phase {stage.status['phase']}"
        assert stage.status["phase"] == phase
        stage.operator.start()

        # then the rollout ends where it would have ended
        stage.reaches("Stable", "v2.0.0")
        assert stage.status["lastRevision"] == 2
        assert stage.weights == {"iris-blue": 0, "iris-green": 100}


def test_a_candidate_that_turns_bad_while_the_operator_is_away_is_taken_back(stage: Stage) -> None:
    # given a rollout in its bake
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG_BAKE)
    stage.reaches("Baking")

    # when it fails while nobody looks
    stage.operator.kill()
    stage.users.outcome = lambda revision: ("error", 0.02) if revision == "iris-2" else ("ok", 0.02)
    stage.operator.start()

    # then the evidence is taken up again and it is rolled back
    stage.reaches("RolledBack", "v1.0.0")


async def test_a_patch_with_a_stale_sequence_number_is_refused(
    stage: Stage, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a route that has moved since it was read
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    model, stale = Model(stage.model), stage.route
    epoch = stale["metadata"]["annotations"]["viridian.dev/epoch"]
    stage.apply("v2.0.0")
    eventually(lambda: stage.route["metadata"]["annotations"]["viridian.dev/seq"] != "1", "the route to move")

    # when a late writer sends what it would have written then
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    async with KubeClient("late-writer") as late:
        all_green = {Color.BLUE: 0, Color.GREEN: 100}
        with pytest.raises(Conflict, match="not 1 any more"):
            await GATEWAY_ROUTER.move(Site(late, model, epoch), stale, Split(all_green, all_green, "2s"))

    # then the API refused it whole, and the rollout goes on
    stage.reaches("Stable", "v2.0.0")


def test_crashing_pods_are_turned_back_before_any_traffic(stage: Stage) -> None:
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.keeper.unready.append(GREEN)
    stage.apply("v2.0.0")
    pods = wait_for_pods(stage.control_plane.core, stage.namespace, GREEN, 2)
    crash(stage.control_plane.core, pods, times=2)
    status = stage.reaches("RolledBack", "v1.0.0")
    assert status["failed"][0]["reason"] == "PodsCrash"


def test_an_image_that_cannot_be_pulled_is_named_and_disturbs_nobody(stage: Stage) -> None:
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.keeper.unready.append(GREEN)
    stage.apply("v2.0.0", serving={"replicas": 2, "timeout": "2s", "image": "example.com/nothing:1"})
    cannot_pull(stage.control_plane.core, wait_for_pods(stage.control_plane.core, stage.namespace, GREEN, 2))
    eventually(lambda: stage.condition("Stalled").get("reason") == "PodsCannotStart", "the condition")
    assert "spec.serving.image" in stage.condition("Stalled")["message"]
    assert stage.condition("Available")["status"] == "True"
    assert stage.weights == {"iris-blue": 100, "iris-green": 0}

    # and going back to stable's version clears it
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    eventually(lambda: stage.condition("Stalled")["status"] == "False", "the condition to go")


def test_an_unknown_gateway_is_named_and_found_once_it_exists(stage: Stage) -> None:
    stage.apply("v1.0.0", traffic={"parentRefs": [{"name": "missing"}]})
    eventually(lambda: stage.condition("Stalled").get("reason") == "GatewayNotFound", "the condition")
    assert "spec.traffic.parentRefs[0]" in stage.condition("Stalled")["message"]
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")


def test_commands_abort_and_retry(stage: Stage) -> None:
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG)
    stage.reaches("Progressing")
    stage.annotate(command="abort/iris-2/once")
    stage.reaches("RolledBack", "v1.0.0")
    stage.annotate(command="retry/iris-2/again")
    eventually(lambda: (stage.status.get("candidate") or {}).get("revision") == "iris-3", "the retry")
    assert stage.status["lastCommand"] == "retry/iris-2/again"


def test_an_edited_path_is_followed_once_and_the_weights_stay(stage: Stage) -> None:
    # given a model in the middle of a rollout
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG)
    eventually(lambda: stage.weights == {"iris-blue": 80, "iris-green": 20}, "the first step")

    # when path, host names and listener are edited
    parents = [{"name": "public", "sectionName": "http"}]
    stage.apply("v2.0.0", rollout=LONG, traffic={"parentRefs": parents, "path": "/", "hostnames": ["iris.example.com"]})
    eventually(lambda: stage.route["spec"].get("hostnames") == ["iris.example.com"], "the route to follow")

    # then that was one write, and the weights are what they were
    seq = stage.route["metadata"]["annotations"]["viridian.dev/seq"]
    assert stage.route["spec"]["parentRefs"][0]["sectionName"] == "http"
    stays(lambda: stage.route["metadata"]["annotations"]["viridian.dev/seq"] == seq, "the route to rest", during=3)
    assert stage.weights == {"iris-blue": 80, "iris-green": 20}


def test_a_child_that_belongs_to_somebody_else_is_left_alone(stage: Stage) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "iris-blue", "namespace": stage.namespace},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    stage.control_plane.apply(foreign)
    stage.apply("v1.0.0")
    eventually(lambda: stage.condition("Stalled").get("reason") == "ForeignChild", "the condition")
    assert "Service iris-blue" in stage.condition("Stalled")["message"]
    service = stage.control_plane.core.read_namespaced_service("iris-blue", stage.namespace)
    assert service.spec.selector == {"app": "theirs"}
    stage.control_plane.core.delete_namespaced_service("iris-blue", stage.namespace)
    stage.reaches("Stable", "v1.0.0")


def test_the_probe_answers_while_the_ticker_ticks(stage: Stage) -> None:
    def healthy() -> bool:
        with open_url(f"http://127.0.0.1:{stage.operator.probe_port}/healthz") as answer:
            return answer.status == 200 and "ticker" in answer.read().decode()

    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    assert healthy()


def test_a_lost_controller_revision_is_stored_again_and_no_pod_changes(stage: Stage) -> None:
    # given stable, whose stored revision somebody deletes
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    pods = {pod.metadata.uid for pod in stage.control_plane.core.list_namespaced_pod(stage.namespace).items}
    stage.control_plane.apps.delete_namespaced_controller_revision("iris-1", stage.namespace)

    # when the model is scaled
    stage.apply("v1.0.0", serving={"replicas": 3, "timeout": "2s"})

    # then the revision is stored again, there is a third pod, and the first two are what they were
    eventually(
        lambda: (
            [
                revision.metadata.name
                for revision in stage.control_plane.apps.list_namespaced_controller_revision(stage.namespace).items
            ]
            == ["iris-1"]
        ),
        "the revision",
    )
    wait_for_pods(stage.control_plane.core, stage.namespace, "viridian.dev/color=blue", 3)
    now = {pod.metadata.uid for pod in stage.control_plane.core.list_namespaced_pod(stage.namespace).items}
    assert pods < now
    assert stage.deployment("blue").metadata.labels["viridian.dev/revision"] == "iris-1"
    stage.reaches("Stable", "v1.0.0")


def test_deleting_the_model_deletes_its_children(stage: Stage) -> None:
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.operator.kill()  # there is no finalizer that could wait for it
    stage.control_plane.custom.delete_namespaced_custom_object(
        "viridian.dev", "v1alpha1", stage.namespace, "modeldeployments", "iris"
    )
    eventually(
        lambda: not stage.control_plane.apps.list_namespaced_deployment(stage.namespace).items, "the Deployments to go"
    )
