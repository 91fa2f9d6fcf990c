"""The harness itself: what other component tests take for granted."""

from typing import Any

import pytest
from kubernetes import client
from tests.component.harness.control_plane import ControlPlane
from tests.component.harness.loopback import kubernetes_client
from tests.component.harness.pods import ReadyKeeper, make_ready, make_unready, wait_for_pods
from tests.component.harness.prometheus import Prometheus
from tests.component.harness.repeated import Repeated
from tests.component.harness.watched import Watched
from tests.waiting import eventually
from urllib3.exceptions import ProtocolError


def deployment(namespace: str, name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "main:1"}]},
            },
        },
    }


def service(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    }


def ready_endpoints(control_plane: ControlPlane, namespace: str, name: str) -> int:
    slices = client.DiscoveryV1Api(control_plane.api).list_namespaced_endpoint_slice(
        namespace, label_selector=f"kubernetes.io/service-name={name}"
    )
    return sum(bool(endpoint.conditions.ready) for piece in slices.items for endpoint in piece.endpoints or [])


def test_pods_are_ready_when_the_test_says_so(control_plane: ControlPlane, namespace: str) -> None:
    # given a Deployment with a Service, and its two pods
    control_plane.apply(service(namespace, "web"))
    control_plane.apply(deployment(namespace, "web", replicas=2))
    first, second = wait_for_pods(control_plane.core, namespace, "app=web", 2)

    # when both become ready and one is not any more
    make_ready(control_plane.core, [first, second])
    eventually(lambda: ready_endpoints(control_plane, namespace, "web") == 2, "two endpoints")
    make_unready(control_plane.core, [second])

    # then the real controllers say so
    eventually(lambda: ready_endpoints(control_plane, namespace, "web") == 1, "one endpoint")
    eventually(
        lambda: control_plane.apps.read_namespaced_deployment("web", namespace).status.ready_replicas == 1,
        "one ready replica in the Deployment's status",
    )


def test_a_keeper_makes_pods_ready_save_those_it_shall_leave(control_plane: ControlPlane, namespace: str) -> None:
    # given a keeper that leaves one app alone
    with ReadyKeeper(control_plane.core, namespace) as keeper:
        keeper.unready.append("app=slow")

        # when two Deployments come and go to zero again
        for name in ("web", "slow"):
            control_plane.apply(deployment(namespace, name, replicas=1))
        eventually(
            lambda: control_plane.apps.read_namespaced_deployment("web", namespace).status.ready_replicas == 1,
            "the pod of web to be ready",
        )
        slow = control_plane.apps.read_namespaced_deployment("slow", namespace)
        control_plane.apply(deployment(namespace, "web", replicas=0))

    # then only the other one's pod was made ready, and pods leave without a kubelet
    assert not slow.status.ready_replicas
    eventually(
        lambda: not control_plane.core.list_namespaced_pod(namespace, label_selector="app=web").items,
        "the pod to be gone, not only on its way",
    )


def test_a_watch_knows_what_comes_and_goes(control_plane: ControlPlane, namespace: str) -> None:
    # given a pod that was there before
    control_plane.apply(deployment(namespace, "web", replicas=1))
    [first] = wait_for_pods(control_plane.core, namespace, "app=web", 1)

    def known() -> set[str]:
        return {pod["metadata"]["uid"] for pod in watched.objects}

    with Watched(control_plane.core.list_namespaced_pod, namespace) as watched:
        assert known() == {first.metadata.uid}

        # when another one comes and all of them go
        control_plane.apply(deployment(namespace, "web", replicas=2))
        eventually(lambda: len(known()) == 2, "the second pod")
        control_plane.apply(deployment(namespace, "web", replicas=0))

        # then it is known, and the end is not waited for
        eventually(lambda: not known(), "no pod")


def test_work_beside_a_test_outlives_a_busy_server_and_tells_any_other_error() -> None:
    # given work that meets a server without time, one that breaks the connection, and then its own mistake
    troubles = iter([client.ApiException(status=500), client.ApiException(status=429), ProtocolError("reset")])

    def work() -> None:
        raise next(troubles, ValueError("a mistake"))

    # when it is done again and again
    beside = Repeated("work", 0.01, work)
    beside.start()

    # then only the mistake ends it, and a test sees that
    def told() -> bool:
        try:
            beside.check()
        except RuntimeError as error:
            return isinstance(error.__cause__, ValueError)
        return False

    eventually(told, "the mistake to be told")
    with pytest.raises(RuntimeError, match="the thread work has ended"):
        beside.stop()


def test_children_go_with_their_owner(control_plane: ControlPlane, namespace: str) -> None:
    # given a Deployment with a pod
    control_plane.apply(deployment(namespace, "web", replicas=1))
    wait_for_pods(control_plane.core, namespace, "app=web", 1)

    # when it is deleted
    control_plane.apps.delete_namespaced_deployment("web", namespace)

    # then the garbage collector takes the pod
    assert wait_for_pods(control_plane.core, namespace, "app=web", 0) == []


def test_a_service_account_has_only_its_own_rights(control_plane: ControlPlane, namespace: str) -> None:
    # given a ServiceAccount without any role
    control_plane.core.create_namespaced_service_account(namespace, {"metadata": {"name": "nobody"}})

    # when it reads something
    kubeconfig = control_plane.kubeconfig_of("nobody", namespace)
    core = client.CoreV1Api(kubernetes_client(kubeconfig))
    with pytest.raises(client.ApiException) as refused:
        core.list_namespaced_pod(namespace)

    # then it is known, and refused
    assert refused.value.status == 403
    assert f"system:serviceaccount:{namespace}:nobody" in refused.value.body


def test_the_gateway_api_is_served(control_plane: ControlPlane, gateway_api: list[str], namespace: str) -> None:
    # given the Gateway API
    # when a route is applied
    route = control_plane.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "iris", "namespace": namespace},
            "spec": {"rules": [{"backendRefs": [{"name": "iris-blue", "port": 8000, "weight": 100}]}]},
        }
    )

    # then the server filled in its defaults
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]


def test_prometheus_sees_what_a_test_counts(prometheus: Prometheus) -> None:
    # given two pods that answered
    good = prometheus.target.pod("ml", "iris", "iris-1", "uid-1")
    bad = prometheus.target.pod("ml", "iris", "iris-2", "uid-2")
    good.count(95, seconds=0.02)
    bad.count(4, seconds=0.02)
    bad.count(1, outcome="error", seconds=7.0)
    bad.count(2, outcome="rejected")

    # when Prometheus has scraped them
    prometheus.wait_for_scrape()

    # then it holds exactly these counts, save for the moment after a scrape that took too long
    def holds_them() -> bool:
        requests = {
            (sample["metric"]["pod_uid"], sample["metric"]["outcome"]): float(sample["value"][1])
            for sample in prometheus.query("viridian_requests_total")
        }
        assert requests == {("uid-1", "ok"): 95, ("uid-2", "ok"): 4, ("uid-2", "error"): 1, ("uid-2", "rejected"): 2}
        slow = prometheus.query('viridian_request_duration_seconds_bucket{pod_uid="uid-2",le=~"6.0|\\\\+Inf"}')
        assert {sample["metric"]["le"]: float(sample["value"][1]) for sample in slow} == {"6.0": 4, "+Inf": 5}
        stamps = prometheus.query("viridian_counters_stamp_seconds")
        return len({sample["value"][1] for sample in stamps}) == 1

    eventually(holds_them, "the counts")


def test_a_silent_pod_and_a_lost_target_are_gone_from_prometheus(prometheus: Prometheus) -> None:
    # given two pods
    silent = prometheus.target.pod("ml", "iris", "iris-1", "uid-1")
    prometheus.target.pod("ml", "iris", "iris-2", "uid-2")
    prometheus.wait_for_scrape()

    # when one falls silent
    silent.silent = True
    prometheus.wait_for_scrape()

    # then only the other is seen; and none when the target is down
    eventually(
        lambda: [s["metric"]["pod_uid"] for s in prometheus.query("viridian_counters_stamp_seconds")] == ["uid-2"],
        "one pod to be left",
    )
    prometheus.target.down = True
    eventually(lambda: prometheus.query("viridian_counters_stamp_seconds") == [], "the target to be lost")
