"""The Job that looks whether a kept revision can still be run: its image, its claim, its files in a store."""

from typing import Any

from viridian.api.checks import KEPT
from viridian.api.names import LABEL_REVISION, Color
from viridian.api.revision import Revision
from viridian_shared.pod.variables import COLOR, FETCH_LOOK

from .checks import CONTAINER, LABEL_CHECK, OWN_DEADLINE, build_job, check_job_name, is_told, pod_with
from .owner import Owner

_MOUNTED = frozenset({"tmp", "model", "model-credentials", "store-ca"})
"""What a look needs of what a pod mounts."""


def build_kept_job(owner: Owner, revision: Revision, look: str) -> dict[str, Any]:
    """The container that fetches the model, told only to look; that its image can be pulled, it shows by running.

    Args:
        owner: the model.
        revision: what is looked at, by its stored template.
        look: name of this look, as `kept_job_name` takes it.
    """
    template = revision.template["spec"]
    api = next(each for each in template["containers"] if each["name"] == "api")
    fetch = next(iter(template.get("initContainers") or []), None)  # none for a model in the image
    source = fetch or {**api, "env": [variable for variable in api["env"] if is_told(variable["name"])]}
    mounts = [mount for mount in source["volumeMounts"] if mount["name"] in _MOUNTED]
    known = [variable for variable in source["env"] if variable["name"] != COLOR]
    told = {COLOR: str(Color.BLUE), FETCH_LOOK: "true"}
    container = {
        **{key: source[key] for key in ("image", "securityContext")},
        "resources": api["resources"],  # the fetch container has Triton's, for no more than a look
        "name": CONTAINER,
        "command": ["viridian-fetch"],
        "env": [*known, *({"name": name, "value": value} for name, value in told.items())],
        "volumeMounts": mounts,
    }
    names = {mount["name"] for mount in mounts}
    pod = {
        **pod_with(template, container),
        "initContainers": [],
        "activeDeadlineSeconds": OWN_DEADLINE,
        "volumes": [volume for volume in template["volumes"] if volume["name"] in names],
    }
    labels = {LABEL_CHECK: KEPT, LABEL_REVISION: revision.name}
    return build_job(owner, kept_job_name(revision.name, look), labels, pod)


def kept_job_name(revision: str, look: str) -> str:
    """Name of the Job of one look at a revision."""
    return check_job_name(revision, f"{KEPT}-{look}")
