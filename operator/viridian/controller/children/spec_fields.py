"""Which field of the spec a message of Kubernetes about a pod is about; empty where that cannot be told."""

from typing import Final

from viridian.kube.client import Manifest
from viridian.workloads.api_keys import API_KEYS_VOLUME
from viridian.workloads.checks import FILES_VOLUME

_FIELDS: Final = {API_KEYS_VOLUME: "spec.serving.apiKeysSecretRef", FILES_VOLUME: "spec.checks"}
"""By the volumes that need an object of the user's."""
_DENIED = ("unauthorized", "authorization", "access denied", "forbidden", "no basic auth credentials")
"""What registries say to a client without the right credentials."""


def mounted_image(message: str, pod: Manifest) -> str:
    """The image among a pod's volumes that a message names, as the kubelet pulls it like that of a container."""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    references = [volume["image"]["reference"] for volume in volumes if "image" in volume]
    return next((reference for reference in references if reference in message), "")


def field_of_image(message: str, pod: Manifest) -> str:
    """The fields that say where an image comes from, and with which Secrets, as its pull failed."""
    denied = any(words in message.lower() for words in _DENIED)
    field = "spec.model.uri" if mounted_image(message, pod) else "spec.serving.image"
    return f"{field}{' and spec.serving.podTemplate.imagePullSecrets' if denied else ''}"


def field_of_variables(container: str, message: str, pod: Manifest) -> str:
    """The variables of a container that come from the Secret or ConfigMap which a message names.

    The only ones that are not optional are the user's.
    """
    spec = pod.get("spec") or {}
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    variables = next((each.get("env") or [] for each in containers if each["name"] == container), [])
    found = []
    for variable in variables:
        source = variable.get("valueFrom") or {}
        reference = source.get("secretKeyRef") or source.get("configMapKeyRef") or {}
        name = reference.get("name", "")
        # secret "NAME" not found; couldn't find key KEY in Secret NAMESPACE/NAME
        named = f'"{name}"' in message or message.endswith(f"/{name}")
        if name and named and not reference.get("optional"):
            found.append(variable["name"])
    return f"spec.serving.podTemplate.env ({', '.join(found)})" if found else ""


def field_of_mount(message: str, pod: Manifest) -> str:
    """The field of the Secret or ConfigMap that a volume lacks; else of the model's claim, if no other one is named."""
    volumes = (pod.get("spec") or {}).get("volumes") or []
    named = [volume for volume in volumes if f'"{volume["name"]}"' in message]
    if fields := [_FIELDS[volume["name"]] for volume in named if volume["name"] in _FIELDS]:
        return fields[0]
    is_claim = any(map(_is_claim, volumes)) and all(map(_is_claim, named))
    return "spec.model.uri" if is_claim else ""


def _is_claim(volume: Manifest) -> bool:
    return "persistentVolumeClaim" in volume


def field_of_account(message: str, deployment: Manifest) -> str:
    """The field of the ServiceAccount that does not exist, if the spec names it; else it is the namespace's own."""
    account = deployment["spec"]["template"]["spec"].get("serviceAccountName", "")
    missing = "serviceaccount" in message and f'"{account}" not found' in message
    return "spec.serving.podTemplate.serviceAccountName" if missing else ""
