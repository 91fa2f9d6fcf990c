"""The pod template: Triton and the prediction API, two containers of one serving image."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from viridian.api.names import LABEL_COLOR, LABEL_MODEL, LABEL_REVISION, PORT_METRICS, PORT_SPLIT, PORT_STABLE
from viridian.api.quantities import format_duration, parse_duration
from viridian.api.revision import RevisionInput
from viridian.api.serving import Resources
from viridian.guards.latency import GRID

DRAIN_DELAY = timedelta(seconds=3)
"""How long a terminating pod still accepts requests, so that every proxy has heard that it goes."""
SHUTDOWN = timedelta(seconds=20)
"""What API and Triton need to end one after the other, beyond the longest request."""
START_DEADLINE = timedelta(minutes=3)
"""Triton hangs without a timeout when its Python stub cannot start: the kubelet then restarts it."""


@dataclass(frozen=True)
class PodDefaults:
    """What the operator's own configuration adds to a revision when it is rendered."""

    serving_image: str
    scrape_interval: timedelta


def build_pod_template(model: str, revision: str, spec: RevisionInput, defaults: PodDefaults) -> dict[str, Any]:
    """Render the pods of a revision. The color is not part of it: a pod reads its color from its own label."""
    image = spec.serving.image or defaults.serving_image
    timeout = parse_duration(spec.serving.timeout)
    env = _environment(model, revision, spec, defaults)
    return {
        "metadata": {"labels": {LABEL_MODEL: model, LABEL_REVISION: revision}},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": int((timeout + SHUTDOWN).total_seconds()),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    **_container("triton", image, env, spec.serving.triton.resources),
                    "startupProbe": _probe("/triton/ready", period=1, failures=int(START_DEADLINE.total_seconds())),
                },
                {
                    **_container("api", image, env, spec.serving.api.resources),
                    "ports": [
                        {"name": "http", "containerPort": PORT_SPLIT},
                        {"name": "http-stable", "containerPort": PORT_STABLE},
                        {"name": "metrics", "containerPort": PORT_METRICS},
                    ],
                    "startupProbe": _probe("/live", period=1, failures=60),
                    "livenessProbe": _probe("/live", period=10, failures=3),
                    "readinessProbe": _probe("/ready", period=1, failures=2),
                },
            ],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                {"name": "run", "emptyDir": {}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
            ],
        },
    }


def _environment(model: str, revision: str, spec: RevisionInput, defaults: PodDefaults) -> list[dict[str, Any]]:
    plain = {
        "VIRIDIAN_MODEL": model,
        "VIRIDIAN_MODEL_VERSION": spec.model.version,
        "VIRIDIAN_MODEL_URI": spec.model.uri,
        "VIRIDIAN_MODEL_FORMAT": str(spec.model.format),
        "VIRIDIAN_REVISION": revision,
        "VIRIDIAN_TIMEOUT": spec.serving.timeout,
        "VIRIDIAN_DRAIN_DELAY": format_duration(DRAIN_DELAY),
        "VIRIDIAN_SCRAPE_INTERVAL": format_duration(defaults.scrape_interval),
        "VIRIDIAN_LATENCY_BUCKETS": ",".join(f"{bound:g}" for bound in GRID),
    }
    fields = {
        "VIRIDIAN_NAMESPACE": "metadata.namespace",
        "VIRIDIAN_POD_UID": "metadata.uid",
        "VIRIDIAN_COLOR": f"metadata.labels['{LABEL_COLOR}']",
    }
    return [{"name": name, "value": value} for name, value in plain.items()] + [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()
    ]


def _container(name: str, image: str, env: list[dict[str, Any]], resources: Resources) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "command": [f"viridian-{name}"],
        "env": env,
        "resources": resources.manifest(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the container
            {"name": "run", "mountPath": "/run/viridian"},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - a path in the container
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT_METRICS},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
