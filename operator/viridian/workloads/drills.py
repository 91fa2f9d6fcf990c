"""The twin of a drill, a ModelDeployment that no user reaches, and the Job that sends it requests."""

import hashlib
import json
from typing import Any, Final

from viridian.api.checks import Checks
from viridian.api.drill import DEFAULT_RATE, TWIN_SUFFIX, Misbehavior
from viridian.api.guards import Guards
from viridian.api.names import API_VERSION, KIND, LABEL_DRILL_OF
from viridian.api.revision import Revision
from viridian.api.rollout import Bake, Rollout, RolloutType
from viridian.api.serving import Serving
from viridian.api.spec import ModelDeploymentSpec
from viridian_shared.drill import DrillKind
from viridian_shared.durations import parse_duration
from viridian_shared.pod.check_variables import TRAFFIC
from viridian_shared.pod.ports import STABLE

from .checks import build_tool_pod
from .owner import Owner, build_metadata

TRAFFIC_CONTAINER: Final = "traffic"
_LONGEST_NAME: Final = 57
_LONGEST_JOB: Final = 55
_HASH: Final = 8
_SETTLED: Final = "1s"
"""The bake of the twin's first version, which is stable's: it was watched before."""
_ENDLESS: Final = ("24h", "48h")
"""Bake and deadline of the known-bad version: nothing but a guard, a crash or a check is to end its rollout."""
_MARGIN: Final = 60
"""Seconds beyond its own limit after which the Job is ended."""


def twin_name(model: str) -> str:
    """Name of a model's twin; one that would be too long for a model ends in a hash."""
    name = f"{model}{TWIN_SUFFIX}"
    if len(name) <= _LONGEST_NAME:
        return name
    kept = model[: _LONGEST_NAME - _HASH - len(TWIN_SUFFIX) - 1]
    return f"{kept}-{hashlib.sha256(model.encode()).hexdigest()[:_HASH]}{TWIN_SUFFIX}"


def build_twin(
    owner: Owner, revision: Revision, spec: ModelDeploymentSpec, misbehavior: Misbehavior | None
) -> dict[str, Any]:
    """The twin: stable's version in a pod of each color, judged by the same guards, and named by no route.

    What the model's users, receivers and logs would notice is left out, and so are labels by which others may find its
    pods.

    Args:
        owner: the model.
        revision: its stable revision.
        spec: its spec.
        misbehavior: how the twin is to fail; None while it is to serve.
    """
    wanted = ModelDeploymentSpec(
        model=revision.input.model,
        serving=_serving(revision.input.serving, misbehavior),
        rollout=_rollout(spec.rollout, misbehavior),
        guards=_guards(spec.guards),
        checks=_checks(spec.checks, misbehavior),
        objectives=spec.objectives,
        revision_history_limit=2,
    )
    name = twin_name(owner.name)
    references = build_metadata(owner, name)["ownerReferences"]
    labels = {"app.kubernetes.io/managed-by": "viridian", LABEL_DRILL_OF: owner.name}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": owner.namespace, "labels": labels, "ownerReferences": references},
        "spec": wanted.manifest(),
    }


def _serving(serving: Serving, misbehavior: Misbehavior | None) -> Serving:
    template = serving.pod_template.model_copy(update={"labels": {}})
    return serving.model_copy(update={"pod_template": template, "drill": misbehavior})


def _rollout(rollout: Rollout, misbehavior: Misbehavior | None) -> Rollout:
    bake, deadline = _ENDLESS if misbehavior is not None else (_SETTLED, _ENDLESS[1])
    return Rollout(
        type=RolloutType.BLUE_GREEN, bake=Bake(duration=bake), deadline=deadline, drain_max=rollout.drain_max
    )


def _guards(guards: Guards) -> Guards:
    """Those that need neither a gateway, which a comparison with stable does, nor users."""
    bounded = [guard.model_copy(update={"max_times_stable": None}) for guard in guards.latency if guard.max is not None]
    return Guards(error_rate=guards.error_rate, latency=bounded, metrics_missing=guards.metrics_missing)


def _checks(checks: Checks, misbehavior: Misbehavior | None) -> Checks:
    """Guards are to see the other kinds of failure, which a check, smoke among them, would find before."""
    wrong = misbehavior is not None and misbehavior.kind is DrillKind.WRONG
    return Checks(golden=checks.golden) if wrong else Checks(smoke=False)


def build_traffic_job(
    twin: Owner, revision: Revision, spec: ModelDeploymentSpec, *, quiet: float, longest: float
) -> dict[str, Any]:
    """The Job that sends requests to a twin, and reports in its container's last words what they met.

    Args:
        twin: which owns it.
        revision: the model's stable revision; its stored template has the image, the API key and the placement.
        spec: of the model.
        quiet: seconds for which no request may fail before failures count as over.
        longest: seconds after which it ends in any case.
    """
    bounds = [parse_duration(guard.max).total_seconds() for guard in spec.guards.latency if guard.max is not None]
    plan = {
        "url": f"http://{twin.name}.{twin.namespace}.svc:{STABLE}",
        "rate": spec.drill.requests_per_second if spec.drill is not None else DEFAULT_RATE,
        "quiet": quiet,
        "longest": longest,
        **({"slow": max(bounds)} if bounds else {}),
    }
    labels = {LABEL_DRILL_OF: twin.name}
    told = {TRAFFIC: json.dumps(plan, sort_keys=True)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": build_metadata(twin, f"{twin.name[:_LONGEST_JOB]}-traffic", labels),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(longest) + _MARGIN,
            "template": {
                "metadata": {"labels": labels},
                "spec": build_tool_pod(revision.template["spec"], TRAFFIC_CONTAINER, "viridian-traffic", told),
            },
        },
    }
