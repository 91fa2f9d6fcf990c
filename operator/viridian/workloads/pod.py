"""The pod template: Triton and the prediction API, two containers of one serving image, and what goes before them."""

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from viridian.api.errors import InvalidSpec
from viridian.api.model import ModelSource
from viridian.api.names import (
    LABEL_COLOR,
    LABEL_MODEL,
    LABEL_REVISION,
)
from viridian.api.pods.pod_template import PodTemplate
from viridian.api.revision import RevisionInput
from viridian.api.serving import Resources, Serving
from viridian_shared.counts.latency import GRID
from viridian_shared.durations import format_duration, parse_duration
from viridian_shared.pod import paths, ports, probes, variables
from viridian_shared.pod.shutdown import DRAIN_DELAY, SHUTDOWN

from .api_keys import build_api_key_environment, build_api_key_mounts, build_api_key_volumes
from .live_settings import build_live_settings_mounts, build_live_settings_volumes
from .model_cache import ModelCache, build_cache_environment, build_cache_mounts, build_cache_volumes
from .model_files import (
    build_fetch_environment,
    build_fetch_mounts,
    build_identity_annotations,
    build_mounts,
    build_volumes,
)
from .resources import DefaultResources, with_defaults

SERVING_CONTAINERS = frozenset({"triton", "api"})
FETCH_CONTAINER = "fetch"
"""The one init container. Whatever other containers a pod has, something has injected."""
SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict"
"""Without this annotation the cluster autoscaler never empties a node with our pods, because of their emptyDirs."""

_LOADERS: Final = ("LD_", "PYTHON", "GLIBC_", "GCONV_")
"""How variables begin that lead the loader, Python or the C library to files."""

_IDS: Final = {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
_PLACEMENT: Final = frozenset(
    {"nodeSelector", "tolerations", "priorityClassName", "serviceAccountName", "imagePullSecrets"}
)


@dataclass(frozen=True)
class PodDefaults:
    """What the operator's own configuration adds to a revision when it is rendered."""

    serving_image: str
    scrape_interval: timedelta
    resources: DefaultResources = field(default_factory=DefaultResources)
    allow_model_code: bool = True
    model_cache: ModelCache = field(default_factory=ModelCache)


def build_pod_template(model: str, revision: str, spec: RevisionInput, defaults: PodDefaults) -> dict[str, Any]:
    """Render the pods of a revision. The color is not part of it: a pod reads its color from its own label.

    Raises:
        InvalidSpec: it could bring code where none is allowed.
    """
    if not defaults.allow_model_code:
        _refuse_loaders(spec.serving.pod_template)
    timeout, starting = parse_duration(spec.serving.timeout), parse_duration(spec.serving.start_timeout)
    image = spec.serving.image or defaults.serving_image
    env = _environment(model, revision, spec, defaults)
    triton = with_defaults(spec.serving.triton.resources, defaults.resources.triton)
    api = with_defaults(spec.serving.api.resources, defaults.resources.api)
    return {
        "metadata": _metadata(model, revision, spec),
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": int((timeout + SHUTDOWN).total_seconds()),
            "securityContext": _security(spec.serving.pod_template),
            **_placement(spec.serving.pod_template),
            **_fetching(image, env, spec, triton, defaults.model_cache),
            "containers": [
                {
                    **_container("triton", image, env, triton, _mounts(spec.model)),
                    # Triton hangs without end when its Python stub cannot start: then the kubelet starts it again.
                    "startupProbe": _probe(probes.TRITON_READY, period=1, failures=math.ceil(starting.total_seconds())),
                    # Without grace: the pod takes no traffic then, and its model is dead.
                    "livenessProbe": {
                        **_probe(probes.TRITON_LIVE, period=10, failures=3),
                        "terminationGracePeriodSeconds": 5,
                    },
                },
                {
                    **_container("api", image, [*env, *_of_the_api(model, spec.serving)], api, _api_mounts(spec)),
                    "ports": [
                        {"name": "http", "containerPort": ports.SPLIT},
                        {"name": "http-stable", "containerPort": ports.STABLE},
                        {"name": "grpc", "containerPort": ports.GRPC},
                        {"name": "metrics", "containerPort": ports.METRICS},
                    ],
                    "startupProbe": _probe(probes.LIVE, period=1, failures=60),
                    "livenessProbe": _probe(probes.LIVE, period=10, failures=3),
                    "readinessProbe": _probe(probes.READY, period=1, failures=2),
                },
            ],
            "volumes": [
                # Bounded: what clients make a pod write must not fill the node's disk.
                {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "run", "emptyDir": {"sizeLimit": "256Mi"}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
                *build_live_settings_volumes(model),
                *build_api_key_volumes(spec.serving),
                *build_volumes(spec.model),
                *build_cache_volumes(defaults.model_cache, spec.model),
            ],
        },
    }


def _refuse_loaders(wanted: PodTemplate) -> None:
    """Refuse variables by which files of the model become code before anything of ours can look at them."""
    for index, variable in enumerate(wanted.env):
        if variable.name.startswith(_LOADERS):
            raise InvalidSpec(
                f"spec.serving.podTemplate.env[{index}]: {variable.name} can run a model's files as code, which this"
                " installation forbids (chart value serving.allowModelCode): remove it, or ask the administrator of"
                " Viridian"
            )


def _metadata(model: str, revision: str, spec: RevisionInput) -> dict[str, Any]:
    wanted = spec.serving.pod_template
    return {
        "labels": {**wanted.labels, LABEL_MODEL: model, LABEL_REVISION: revision},
        "annotations": {SAFE_TO_EVICT: "true", **build_identity_annotations(spec.model), **wanted.annotations},
    }


def _security(wanted: PodTemplate) -> dict[str, Any]:
    """As whom the pods run: as the user says, or else by our own IDs. Never as root, which `restricted` forbids."""
    ids = _IDS if wanted.security_context is None else wanted.security_context.manifest()
    chosen = {name: value for name, value in ids.items() if value != []}
    return {"runAsNonRoot": True, **chosen, "seccompProfile": {"type": "RuntimeDefault"}}


def _placement(wanted: PodTemplate) -> dict[str, Any]:
    """The fields of `podTemplate` that a pod has under the same names; what was left out stays out."""
    return {name: value for name, value in wanted.manifest().items() if name in _PLACEMENT and value}


def _fetching(
    image: str, env: list[dict[str, Any]], spec: RevisionInput, resources: Resources, cache: ModelCache
) -> dict[str, Any]:
    """The container that brings and checks the model's files before the others start, if there is anything to do."""
    if spec.model.scheme == "image" and spec.model.digest is None:
        return {}
    told = _plain(build_fetch_environment(spec.model) | build_cache_environment(cache, spec.model))
    mounts = build_fetch_mounts(spec.model) + build_cache_mounts(cache, spec.model)
    # Its resources are Triton's: it runs before Triton does, so it adds nothing to what the pod reserves.
    return {"initContainers": [_container("fetch", image, told + env, resources, mounts)]}


def _environment(model: str, revision: str, spec: RevisionInput, defaults: PodDefaults) -> list[dict[str, Any]]:
    plain = {
        variables.MODEL: model,
        variables.MODEL_VERSION: spec.model.version,
        # In what others wrote, a dollar sign stands for itself, not for another variable.
        variables.MODEL_URI: spec.model.uri.replace("$", "$$"),
        variables.MODEL_FORMAT: str(spec.model.format),
        variables.REVISION: revision,
        variables.TIMEOUT: spec.serving.timeout,
        variables.DRAIN_DELAY: format_duration(DRAIN_DELAY),
        variables.SCRAPE_INTERVAL: format_duration(defaults.scrape_interval),
        variables.LATENCY_BUCKETS: ",".join(f"{bound:g}" for bound in GRID),
    }
    if spec.model.mounted_image is not None:
        plain[variables.MODEL_MOUNTED] = "true"
    if spec.model.trusted:
        plain[variables.MODEL_TRUSTED] = "true"
    if not defaults.allow_model_code:
        plain[variables.ALLOW_MODEL_CODE] = "false"
    if spec.serving.fallback.after is not None:
        plain[variables.FALLBACK_AFTER] = spec.serving.fallback.after
    if (drill := spec.serving.drill) is not None:
        plain[variables.DRILL] = str(drill.kind)
        plain |= {variables.DRILL_DELAY: drill.delay} if drill.delay is not None else {}
    fields = {
        variables.NAMESPACE: "metadata.namespace",
        variables.POD_UID: "metadata.uid",
        variables.COLOR: f"metadata.labels['{LABEL_COLOR}']",
    }
    # With .svc: where no Service answers to it, NAME.NAMESPACE alone could be somebody's host on the internet.
    stable = f"{model}.$({variables.NAMESPACE}).svc:{ports.STABLE}"
    return [
        *_plain(plain),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        *_plain({variables.STABLE: stable}),
        *(variable.manifest() for variable in spec.serving.pod_template.env),
    ]


def _of_the_api(model: str, serving: Serving) -> list[dict[str, Any]]:
    """The variables that Triton's container does not see."""
    return [_feedback_key(model), *_plain(build_api_key_environment(serving))]


def _feedback_key(model: str) -> dict[str, Any]:
    """The key of feedback tokens, for who has made one: the kubelet reads it, and the operator needs no right to."""
    source = {"name": f"{model}-feedback", "key": "key", "optional": True}
    return {"name": variables.FEEDBACK_KEY, "valueFrom": {"secretKeyRef": source}}


def _plain(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _container(
    name: str, image: str, env: list[dict[str, Any]], resources: Resources, mounts: list[dict[str, Any]]
) -> dict[str, Any]:
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
        "volumeMounts": mounts,
    }


def _mounts(model: ModelSource) -> list[dict[str, Any]]:
    return [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the container
        {"name": "run", "mountPath": paths.RUN},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - a path in the container
        *build_mounts(model),
    ]


def _api_mounts(spec: RevisionInput) -> list[dict[str, Any]]:
    return [*_mounts(spec.model), *build_live_settings_mounts(), *build_api_key_mounts(spec.serving)]


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": ports.METRICS},
        "periodSeconds": period,
        # A pod on a node that is short of CPU answers late, and so it does users: that is better than not at all. One
        # that is gone refuses at once.
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
