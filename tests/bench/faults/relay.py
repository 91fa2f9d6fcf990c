"""Clients of a model without a gateway: they call the Service NAME from inside the cluster.

The load runs outside. So it goes through the gateway to a relay, and the relay is the client: it resolves NAME, keeps
its connections open as clients do, and repeats no request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from tests.e2e.harness.stage import GATEWAY, NAME, Stage

_PORT = 8080
_RELAY = "relay"
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_TIMEOUT = "12s"
"""Longer than the model's own timeout, so that the API's answer arrives first."""


@contextmanager
def relayed(stage: Stage) -> Iterator[None]:
    """The model in service mode, with a relay between the stage's URL and the Service NAME."""
    gateway = stage.cluster.read("deployment", "envoy", f"--namespace={GATEWAY['namespace']}")
    containers = gateway["spec"]["template"]["spec"]["containers"]
    image = next(one["image"] for one in containers if one["name"] == "envoy")
    manifests = [_configuration(stage.namespace), _deployment(image), _service(), _route(stage.namespace)]
    here = f"--namespace={stage.namespace}"
    stage.in_service_mode = True
    stage.cluster.kubectl("apply", here, "--filename=-", stdin=yaml.safe_dump_all(manifests))
    stage.cluster.kubectl("rollout", "status", f"deployment/{_RELAY}", here, "--timeout=60s")
    yield  # its namespace is deleted afterwards, and all of this with it


def _configuration(namespace: str) -> dict[str, Any]:
    router = {"name": "router", "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": NAME, "timeout": _TIMEOUT}}
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": _RELAY,
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    listener = {
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": _PORT}},  # noqa: S104 - in a pod
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    name = {"socket_address": {"address": f"{NAME}.{namespace}.svc.cluster.local", "port_value": _PORT}}
    cluster = {
        "name": NAME,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": NAME,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": name}}]}],
        },
    }
    bootstrap = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _RELAY},
        "data": {"envoy.yaml": yaml.safe_dump(bootstrap)},
    }


def _deployment(image: str) -> dict[str, Any]:
    container = {
        "name": _RELAY,
        "image": image,
        "args": ["--log-level", "warn", "--concurrency", "1", "--config-path", "/config/envoy.yaml"],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "readinessProbe": {"tcpSocket": {"port": _PORT}, "timeoutSeconds": 5, "failureThreshold": 6},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "config", "configMap": {"name": _RELAY}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _RELAY},
        "spec": {
            "selector": {"matchLabels": {"app": _RELAY}},
            "template": {"metadata": {"labels": {"app": _RELAY}}, "spec": pod},
        },
    }


def _service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _RELAY},
        "spec": {"selector": {"app": _RELAY}, "ports": [{"port": _PORT}]},
    }


def _route(namespace: str) -> dict[str, Any]:
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": f"/{namespace}"}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "backendRefs": [{"name": _RELAY, "port": _PORT}],
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": _RELAY},
        "spec": {"parentRefs": [GATEWAY], "rules": [rule]},
    }
