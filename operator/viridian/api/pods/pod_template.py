"""`spec.serving.podTemplate`: what the pods of a model need beyond what Viridian sets itself."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from viridian.api.base import ApiModel
from viridian.api.names import GROUP
from viridian.api.objects import LABELS, ObjectName, SecretRef
from viridian.api.quantities import cel, matches
from viridian_shared.pod.variables import PREFIX

from .pod_security import PodSecurityContext

_QUALIFIED = rf"({LABELS}/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?"
"""A label's key."""
_VALUE = "([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?"
"""A label's value."""

_KEY = Field(
    min_length=1,
    max_length=253,
    description="Key in it.",
    json_schema_extra=cel(matches("^[A-Za-z0-9._-]+$"), "must be a key: letters, digits, dashes, dots and underscores"),
)


class SecretKey(ApiModel):
    """A key of a Secret in the model's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret.")]
    key: Annotated[str, _KEY]


class ConfigMapKey(ApiModel):
    """A key of a ConfigMap in the model's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the ConfigMap.")]
    key: Annotated[str, _KEY]


_ONE_SOURCE = "write either secretKeyRef or configMapKeyRef"
_ONE_VALUE = "write either value or valueFrom"


class EnvSource(ApiModel):
    """Where the value of a variable comes from."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "has(self.secretKeyRef) != has(self.configMapKeyRef)", "message": _ONE_SOURCE}
            ]
        }
    )

    secret_key_ref: Annotated[SecretKey | None, Field(description="A key of a Secret.")] = None
    config_map_key_ref: Annotated[ConfigMapKey | None, Field(description="A key of a ConfigMap.")] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            raise ValueError(_ONE_SOURCE)
        return self


class EnvVar(ApiModel):
    """An environment variable."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [{"rule": "has(self.value) != has(self.valueFrom)", "message": _ONE_VALUE}]
        }
    )

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            description="Name of the variable.",
            json_schema_extra=cel(
                f"{matches('^[A-Za-z_][A-Za-z0-9_.-]*$')} && !self.startsWith('{PREFIX}')",
                f"must be the name of a variable that does not begin with {PREFIX}, which are set by the operator:"
                " letters, digits and underscores",
            ),
        ),
    ]
    value: Annotated[str | None, Field(max_length=4096, description="Its value.")] = None
    value_from: Annotated[EnvSource | None, Field(description="Where its value comes from.")] = None

    @model_validator(mode="after")
    def _valued(self) -> Self:
        if self.name.startswith(PREFIX):
            raise ValueError(f"{self.name} is set by the operator: name the variable without {PREFIX}")
        if (self.value is None) == (self.value_from is None):
            raise ValueError(_ONE_VALUE)
        return self


class TolerationOperator(StrEnum):
    """How a toleration is compared with a taint."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


_EXISTS_HAS_NO_VALUE = "with operator Exists there is no value: remove it, or write operator Equal"
_EMPTY_KEY_EXISTS = "without a key the operator must be Exists, which then tolerates every taint"
_SECONDS_OF_NO_EXECUTE = "tolerationSeconds needs effect NoExecute: only that removes running pods"


class Toleration(ApiModel):
    """A taint of nodes that the pods accept, as in a pod."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {"rule": "self.operator == 'Equal' || !has(self.value)", "message": _EXISTS_HAS_NO_VALUE},
                {"rule": "has(self.key) || self.operator == 'Exists'", "message": _EMPTY_KEY_EXISTS},
                {
                    "rule": "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                    "message": _SECONDS_OF_NO_EXECUTE,
                },
            ]
        }
    )

    key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=316,
            description="Key of the taint; default: all.",
            json_schema_extra=cel(matches(f"^{_QUALIFIED}$"), "must be a taint's key, such as nvidia.com/gpu"),
        ),
    ] = None
    operator: Annotated[TolerationOperator, Field(description="Whether the value is compared.")] = (
        TolerationOperator.EQUAL
    )
    value: Annotated[
        str | None,
        Field(
            max_length=63,
            description="Value of the taint.",
            json_schema_extra=cel(matches(f"^{_VALUE}$"), "must be a taint's value, such as present"),
        ),
    ] = None
    effect: Annotated[TaintEffect | None, Field(description="Effect of the taint; default: all.")] = None
    toleration_seconds: Annotated[
        int | None,
        Field(ge=0, le=86_400, description="How long a running pod stays after the taint appeared; default: for good."),
    ] = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.operator is TolerationOperator.EXISTS and self.value is not None:
            raise ValueError(_EXISTS_HAS_NO_VALUE)
        if self.key is None and self.operator is not TolerationOperator.EXISTS:
            raise ValueError(_EMPTY_KEY_EXISTS)
        if self.toleration_seconds is not None and self.effect is not TaintEffect.NO_EXECUTE:
            raise ValueError(_SECONDS_OF_NO_EXECUTE)
        return self


_BY_NAME = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
_LABEL_VALUE = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=cel(matches(f"^{_VALUE}$"), "must be a label's value, such as gpu-large"),
    ),
]


def _marks(what: str, example: str) -> Any:  # noqa: ANN401 - as pydantic's own
    """The names of a pod's labels or annotations: the user's own, not those by which the operator finds its pods."""
    return Field(
        max_length=32,
        json_schema_extra=cel(
            f"self.all(name, name.matches(r'^{_QUALIFIED}$') && !name.startsWith('{GROUP}/'))",
            f"the names must be those of {what}, such as {example}, and may not begin with {GROUP}/: those are the"
            " operator's",
        ),
    )


_Name = Annotated[str, Field(max_length=316)]


class PodTemplate(ApiModel):
    """What is added to every pod of the model."""

    labels: Annotated[
        dict[_Name, _LABEL_VALUE],
        _marks("labels", "example.com/team"),
        Field(description="Labels of the pods, beside the operator's own."),
    ] = Field(default_factory=dict)
    annotations: Annotated[
        dict[_Name, Annotated[str, Field(max_length=4096)]],
        _marks("annotations", "example.com/owner"),
        Field(
            description="Annotations of the pods. cluster-autoscaler.kubernetes.io/safe-to-evict is 'true' unless it"
            " is set here, as the pods' emptyDirs hold nothing that must survive."
        ),
    ] = Field(default_factory=dict)
    node_selector: Annotated[
        dict[_Name, _LABEL_VALUE],
        Field(
            max_length=16,
            description="Labels that a node must have to run the pods.",
            json_schema_extra=cel(
                f"self.all(name, name.matches(r'^{_QUALIFIED}$'))",
                "the names must be those of labels, such as kubernetes.io/arch",
            ),
        ),
    ] = Field(default_factory=dict)
    tolerations: Annotated[
        list[Toleration], Field(max_length=16, description="Taints of nodes that the pods accept.")
    ] = Field(default_factory=list)
    priority_class_name: Annotated[
        ObjectName | None,
        Field(
            description="PriorityClass of the pods; default: that of the cluster. Where a node has no room, the"
            " scheduler removes pods of lower priority."
        ),
    ] = None
    security_context: Annotated[
        PodSecurityContext | None,
        Field(
            description="User and groups of the pods; absent: 10001 for all of them. An empty one, {}, fixes none, for"
            " clusters that assign UIDs, such as OpenShift. runAsNonRoot and the seccomp profile are always set."
        ),
    ] = None
    service_account_name: Annotated[
        ObjectName | None,
        Field(
            description="ServiceAccount of the pods; default: that of the namespace. Its token is not mounted: pods"
            " do not use the Kubernetes API."
        ),
    ] = None
    image_pull_secrets: Annotated[
        list[SecretRef],
        Field(
            max_length=8,
            description="Secrets of the model's namespace for the registry of the serving image.",
            json_schema_extra=_BY_NAME,
        ),
    ] = Field(default_factory=list)
    env: Annotated[
        list[EnvVar],
        Field(
            max_length=64,
            description="Environment variables for every container of the pods, such as HTTPS_PROXY.",
            json_schema_extra=_BY_NAME,
        ),
    ] = Field(default_factory=list)
