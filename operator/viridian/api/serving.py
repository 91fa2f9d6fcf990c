"""`spec.serving`: how the model is served."""

from typing import Annotated

from pydantic import ConfigDict, Field

from viridian_shared.durations import PATTERN as DURATION

from .base import ApiModel
from .drill import Misbehavior
from .objects import SecretRef
from .pods.pod_template import PodTemplate
from .pods.prediction_log import PredictionLog
from .quantities import QUANTITY, Duration, Size, between, cel, matches

Quantity = Annotated[
    str | int,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "maxLength": 32,
            **cel(
                f"string(self).matches(r'{QUANTITY.pattern}')",
                "is not a quantity: write a number of at least 0 without exponent, such as 2, 250m or 512Mi",
            ),
        }
    ),
]
ResourceList = Annotated[dict[Annotated[str, Field(max_length=63)], Quantity], Field(max_length=8)]


_WITHIN_LIMITS = (
    # What is no quantity has its own message, and is not read as one.
    "self.requests.all(name, !(name in self.limits)"
    f" || !string(self.requests[name]).matches(r'{QUANTITY.pattern}')"
    f" || !string(self.limits[name]).matches(r'{QUANTITY.pattern}')"
    " || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)"
)


class Resources(ApiModel):
    """CPU and memory of one container, as in a pod."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": _WITHIN_LIMITS,
                    "message": "a request may not be above the limit of the same name: lower it, or raise the limit",
                    "fieldPath": ".requests",
                }
            ]
        }
    )

    requests: Annotated[
        ResourceList, Field(description="What the scheduler reserves, such as {cpu: 250m, memory: 256Mi}.")
    ] = Field(default_factory=dict)
    limits: Annotated[ResourceList, Field(description="What the container may use at most.")] = Field(
        default_factory=dict
    )


class Container(ApiModel):
    """Settings of one container of a serving pod."""

    resources: Annotated[Resources, Field(description="CPU and memory of this container.")] = Resources()


class Autoscaling(ApiModel):
    """How the number of pods follows the load. A change of it makes no new revision."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self.minReplicas <= self.maxReplicas",
                    "message": "minReplicas may not be above maxReplicas: lower it, or raise maxReplicas",
                    "fieldPath": ".minReplicas",
                }
            ]
        }
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000, description="Fewest pods of the stable color.")]
    max_replicas: Annotated[int, Field(ge=1, le=1000, description="Most pods of each color.")]
    cpu_percent: Annotated[
        int,
        Field(ge=1, le=1000, description="CPU that the pods shall use on average, in percent of what they request."),
    ] = 70


class Fallback(ApiModel):
    """When the stable revision answers in the stead of a candidate whose model fails or takes too long."""

    after: Annotated[
        Duration | None,
        Field(
            description="How long the model may take before stable is asked too; the first answer counts. Absent:"
            " twenty times as long as the trial inference at the pod's start took, at least 1s and at most half of"
            " timeout.",
            json_schema_extra=cel(
                between("1ms", "1h"), "must be a duration from 1ms to 1h, such as 500ms: leave it out for the default"
            ),
        ),
    ] = None


class Cache(ApiModel):
    """Which answers of `/predict` may be given again to the same input. A change of it makes no new revision."""

    ttl: Annotated[
        Duration,
        Field(
            description="How long a cached answer of the same revision is served.",
            json_schema_extra=cel(between("1ms", "24h"), "must be a duration from 1ms to 24h, such as 30s"),
        ),
    ]
    stale_if_error: Annotated[
        Duration,
        Field(
            description="How long a stale answer, of any revision, is served instead of an error; such answers are"
            " marked and state their age. 0s: never.",
            json_schema_extra=cel(between("0s", "24h"), "must be a duration of at most 24h, such as 5m"),
        ),
    ] = "0s"
    max_size: Annotated[
        Size, Field(description="Memory of the cache in each pod; leave room for it in api.resources.")
    ] = "64Mi"


class RateLimit(ApiModel):
    """How many requests one client may send to one pod. A change of it makes no new revision."""

    requests_per_second: Annotated[
        int, Field(ge=1, le=1_000_000, description="Requests a second that a client may send on average.")
    ]
    burst: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Size of a burst after a pause. Absent: the requests of one second.",
        ),
    ] = None
    client_header: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Header that names the client. The gateway must set it after it has authenticated the client,"
            " and remove what clients send by that name. Absent: the address that the gateway saw.",
            json_schema_extra=cel(
                matches(r"^[A-Za-z0-9-]+$"), "is not a header's name: write letters, digits and dashes, such as x-user"
            ),
        ),
    ] = None


_BY_DIGEST = matches(r"^[^\s@]+@sha256:[0-9a-f]{64}$")
_BY_TAG = matches(r"^[^\s@]+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")


_MEASURABLE = (
    "!has(self.autoscaling) || ["
    "'cpu' in self.triton.resources.requests || 'cpu' in self.triton.resources.limits, "
    "'cpu' in self.api.resources.requests || 'cpu' in self.api.resources.limits].all(measured, measured)"
)


_IN_TIME = (
    # What is no duration has its own message.
    "!has(self.fallback.after)"
    f" || ![self.fallback.after, self.timeout].all(text, text.matches(r'{DURATION.pattern}'))"
    " || duration(self.fallback.after) < duration(self.timeout)"
)


class Serving(ApiModel):
    """How the model is served.

    A change of any field but `replicas`, `autoscaling`, `cache`, `rateLimit` and `log` makes a new revision.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": _MEASURABLE,
                    "message": "autoscaling measures the load against requested CPU: set resources.requests.cpu of both"
                    " serving.triton and serving.api",
                    "fieldPath": ".autoscaling",
                },
                {
                    "rule": _IN_TIME,
                    "message": "fallback.after must be shorter than timeout, or no time is left for stable's answer:"
                    " lower it, or raise timeout",
                    "fieldPath": ".fallback.after",
                },
            ]
        }
    )

    replicas: Annotated[
        int, Field(ge=1, le=1000, description="Pods of the stable color; ignored with autoscaling.")
    ] = 1
    autoscaling: Annotated[
        Autoscaling | None,
        Field(
            description="Let a HorizontalPodAutoscaler of each color set the number of pods, instead of replicas. Both"
            " containers need a request or limit of cpu, which the load is measured against."
        ),
    ] = None
    image: Annotated[
        str,
        Field(
            max_length=512,
            description="Serving image; empty takes the operator's default at the time the revision is made.",
            json_schema_extra=cel(
                f"self == '' || {_BY_DIGEST} || ({_BY_TAG} && !self.endsWith(':latest'))",
                "must name an immutable image: write a tag other than latest (registry/name:1.2.0) or a digest"
                " (registry/name@sha256:...)",
            ),
        ),
    ] = ""
    triton: Annotated[Container, Field(description="The container that runs Triton.")] = Container()
    api: Annotated[Container, Field(description="The container with the prediction API.")] = Container()
    start_timeout: Annotated[
        Duration,
        Field(
            description="How long Triton may take to load the model, once its files are there; then its container is"
            " started again, and the second time the candidate is rolled back. From 10s to 1h.",
            json_schema_extra=cel(between("10s", "1h"), "must be a duration from 10s to 1h, such as 10m"),
        ),
    ] = "3m"
    timeout: Annotated[
        Duration,
        Field(
            description="Longest time a request may take, at the gateway and in the prediction API; at most 1h.",
            json_schema_extra=cel(
                between("1ms", "1h"), "must be a duration from 1ms to 1h, such as 30s: without it a request could hang"
            ),
        ),
    ] = "30s"
    api_keys_secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Secret of the model's namespace with the API keys of clients, one member for each, named after"
            " the client. Absent: everybody who reaches the model is answered. Keys may change at any time."
        ),
    ] = None
    pod_template: Annotated[PodTemplate, Field(description="Further settings of the pods.")] = PodTemplate()
    fallback: Annotated[Fallback, Field(description="What happens to a request that a candidate's model fails.")] = (
        Fallback()
    )
    cache: Annotated[Cache | None, Field(description="Cache answers to the same input; absent: no cache.")] = None
    rate_limit: Annotated[
        RateLimit | None, Field(description="Refuse requests of clients that send more than this; absent: no limit.")
    ] = None
    drill: Annotated[
        Misbehavior | None,
        Field(description="How it fails on purpose, set by the operator on the twin of a drill alone."),
    ] = None
    log: Annotated[PredictionLog | None, Field(description="Record predictions; absent: no records.")] = None
