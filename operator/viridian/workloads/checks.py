"""The Job of one check of a candidate: of the serving image, beside the model's files, or a test suite of the user."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from viridian.api.checks import BUILT_IN, GOLDEN, LOAD, REPLAY, Checks, JobCheck
from viridian.api.names import (
    GROUP,
    LABEL_REVISION,
    Color,
    color_name,
)
from viridian.api.pods.prediction_log import PredictionLog
from viridian.api.revision import Revision
from viridian.api.spec import ModelDeploymentSpec
from viridian_shared.durations import parse_duration
from viridian_shared.pod.check_variables import CANDIDATE_URL, CHECK, STABLE_URL
from viridian_shared.pod.exit_codes import CHECK_FAILED
from viridian_shared.pod.paths import CHECK_FILES
from viridian_shared.pod.ports import SPLIT
from viridian_shared.pod.variables import COLOR, FEEDBACK_KEY, MODEL, MODEL_VERSION, PREFIX, REVISION

from .api_keys import API_KEYS_VOLUME
from .log_files import build_log_mounts, build_log_volumes, build_replay_settings
from .owner import Owner, build_metadata

LABEL_CHECK: Final = f"{GROUP}/check"
"""On a check's Job and its pods: the check's name. Its pods have no label of the model, whose pods they are not."""
CONTAINER: Final = "check"

FILES_VOLUME: Final = "check-files"
_MOUNTED: Final = frozenset({"tmp", "model", API_KEYS_VOLUME})
"""What a check needs of what a pod's API has."""
_ASKS: Final = frozenset({"tmp", API_KEYS_VOLUME})
"""What asking a model needs of that."""
_UNUSED: Final = frozenset({"run", "shm", "live-settings", "log-secret"})
_TOLD_ANEW: Final = frozenset({COLOR})
"""A pod reads its color from its label, which a check's pod has not: no Service may find it."""
_KEPT: Final = 24 * 3600
"""Seconds for which the logs of a Job that has ended can be read."""
_RETRIES: Final = 3
_LONGEST_NAME: Final = 63
_BLAMES: Final[Mapping[str, Any]] = {"operator": "In", "values": [CHECK_FAILED]}
"""Exit codes by which the serving image says that something is wrong with what it looked at."""
_ANYTHING: Final[Mapping[str, Any]] = {"operator": "NotIn", "values": [0]}
OWN_DEADLINE: Final = 1800
"""Seconds that a check of the serving image may run."""


def build_check_job(
    owner: Owner, color: Color, revision: Revision, name: str, spec: ModelDeploymentSpec, *, has_stable: bool
) -> dict[str, Any]:
    """The Job that checks the pods of a revision.

    Args:
        owner: the model.
        color: where the revision runs.
        revision: what is checked; its stored template has the image, the model's files and the placement.
        name: which check.
        spec: what the user asks for.
        has_stable: whether there is a revision to compare with.

    Raises:
        KeyError: the spec has no such check any more.
    """
    labels = {LABEL_CHECK: name, LABEL_REVISION: revision.name}
    template = revision.template["spec"]
    urls = _urls(owner, color, revision, has_stable=has_stable)
    checks = spec.checks
    job = checks.job(name)
    if job is not None:
        pod, codes = _suite(template, job, urls), _ANYTHING
    elif name in BUILT_IN:
        pod, codes = _own(template, name, checks, urls, spec.serving.log), _BLAMES
    else:
        raise KeyError(name)
    return build_job(owner, check_job_name(revision.name, name), labels, pod, codes)


def build_job(
    owner: Owner, name: str, labels: dict[str, str], pod: dict[str, Any], codes: Mapping[str, Any] = _BLAMES
) -> dict[str, Any]:
    """A Job of one pod that is tried again when the cluster ends it, and not when it has said what it found.

    Args:
        owner: the model.
        name: of the Job.
        labels: of the Job and its pod.
        pod: the pod's spec, whose container is CONTAINER.
        codes: exit codes that are a result and end the Job, as a podFailurePolicy has them.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": build_metadata(owner, name, labels),
        "spec": {
            "backoffLimit": _RETRIES,
            "ttlSecondsAfterFinished": _KEPT,
            "podFailurePolicy": {
                "rules": [
                    # What the cluster ends is no verdict.
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                    {"action": "FailJob", "onExitCodes": {"containerName": CONTAINER, **codes}},
                ]
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def check_job_name(revision: str, check: str) -> str:
    """Name of a check's Job; one that would be too long for a label ends in a hash instead."""
    name = f"{revision}-{check}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _own(
    template: dict[str, Any], name: str, checks: Checks, urls: dict[str, str], log: PredictionLog | None
) -> dict[str, Any]:
    """The serving image, with the model's files, as a pod of the revision has it."""
    api = next(each for each in template["containers"] if each["name"] == "api")
    mounts = [mount for mount in api["volumeMounts"] if mount["name"] in _MOUNTED]
    volumes = [volume for volume in template["volumes"] if volume["name"] not in _UNUSED]
    settings: dict[str, Any] = {"check": name}
    if name == GOLDEN and checks.golden is not None:
        settings[GOLDEN] = checks.golden.manifest()
        if (source := checks.golden.config_map_ref) is not None:
            volumes.append(_files(source.name, [{"key": source.key, "path": "golden.jsonl"}]))
            mounts.append({"name": FILES_VOLUME, "mountPath": CHECK_FILES, "readOnly": True})
    if name == LOAD and checks.load is not None:
        settings[LOAD] = checks.load.manifest()
    if name == REPLAY and checks.replay is not None:
        # What users have asked is in the log: this check alone looks at no file of the model.
        settings[REPLAY] = build_replay_settings(checks.replay, log)
        volumes = [volume for volume in volumes if volume["name"] in _ASKS] + build_log_volumes(checks.replay)
        mounts = [mount for mount in mounts if mount["name"] in _ASKS] + build_log_mounts(checks.replay)
    known = {variable["name"] for variable in api["env"]} - _TOLD_ANEW
    told = {**urls, CHECK: json.dumps(settings, sort_keys=True)}
    added = {variable: value for variable, value in told.items() if variable not in known}
    container = {
        **{key: api[key] for key in ("image", "resources", "securityContext")},
        "name": CONTAINER,
        "command": ["viridian-check"],
        "env": [*(variable for variable in api["env"] if is_told(variable["name"])), *_plain(added)],
        "volumeMounts": mounts,
    }
    fetching = template.get("initContainers", []) if name != REPLAY else []
    return {
        **pod_with(template, container),
        "initContainers": [_with_color(each, urls[COLOR]) for each in fetching],
        "activeDeadlineSeconds": OWN_DEADLINE,
        "volumes": volumes,
    }


def build_tool_pod(template: dict[str, Any], name: str, command: str, told: dict[str, str]) -> dict[str, Any]:
    """A pod of the serving image that runs one command beside the model, without its files: it only asks.

    Args:
        template: the pods' of a revision, which have the image, the API key and the placement.
        name: of its container.
        command: of the serving image.
        told: further variables.
    """
    api = next(each for each in template["containers"] if each["name"] == "api")
    container = {
        **{key: api[key] for key in ("image", "resources", "securityContext")},
        "name": name,
        "command": [command],
        "env": [
            *(variable for variable in api["env"] if is_told(variable["name"])),
            *_plain({COLOR: str(Color.BLUE), **told}),
        ],
        "volumeMounts": [mount for mount in api["volumeMounts"] if mount["name"] in _ASKS],
    }
    volumes = [volume for volume in template["volumes"] if volume["name"] in _ASKS]
    return {**pod_with(template, container), "initContainers": [], "volumes": volumes}


def _with_color(container: dict[str, Any], color: str) -> dict[str, Any]:
    kept = [variable for variable in container["env"] if variable["name"] not in _TOLD_ANEW]
    return {**container, "env": [*kept, *_plain({COLOR: color})]}


def is_told(variable: str) -> bool:
    """Whether a check is told what the API is told: not its secrets, and nothing that is meant for the model's code."""
    return variable.startswith(PREFIX) and variable not in {FEEDBACK_KEY, *_TOLD_ANEW}


def _suite(template: dict[str, Any], job: JobCheck, urls: dict[str, str]) -> dict[str, Any]:
    """The user's own container, without the model's files and the rights of an account."""
    api = next(each for each in template["containers"] if each["name"] == "api")
    wanted = job.template
    files = job.config_map_ref
    container = {
        "name": CONTAINER,
        "image": wanted.image or api["image"],
        **({"command": wanted.command} if wanted.command else {}),
        **({"args": wanted.args} if wanted.args else {}),
        "env": [*_plain(urls), *(variable.manifest() for variable in wanted.env)],
        "resources": wanted.resources.manifest(),
        "securityContext": api["securityContext"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the container
            *([{"name": FILES_VOLUME, "mountPath": CHECK_FILES, "readOnly": True}] if files else []),
        ],
    }
    return {
        **pod_with(template, container),
        "activeDeadlineSeconds": int(parse_duration(job.timeout).total_seconds()),
        "initContainers": [],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, *([_files(files)] if files else [])],
    }


def _files(config_map: str, items: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {"name": FILES_VOLUME, "configMap": {"name": config_map, **({"items": items} if items else {})}}


def pod_with(template: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """A pod like those of the revision, on the same kind of node, with this container alone."""
    kept = {key: value for key, value in template.items() if key not in {"containers", "terminationGracePeriodSeconds"}}
    return {**kept, "restartPolicy": "Never", "containers": [container]}


def _urls(owner: Owner, color: Color, revision: Revision, *, has_stable: bool) -> dict[str, str]:
    def url(color: Color) -> str:
        return f"http://{color_name(owner.name, color)}.{owner.namespace}.svc:{SPLIT}"

    return {
        CANDIDATE_URL: url(color),
        **({STABLE_URL: url(color.other)} if has_stable else {}),
        COLOR: str(color),
        MODEL: owner.name,
        MODEL_VERSION: revision.version,
        REVISION: revision.name,
    }


def _plain(variables: dict[str, str]) -> list[dict[str, Any]]:
    # In what others wrote, a dollar sign stands for itself, not for another variable.
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in variables.items()]
