"""What a user writes: the spec of a ModelDeployment."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from .quantities import DECIMAL, DURATION, Decimal, Duration, Percent, cel, matches, parse_duration


class ApiModel(BaseModel):
    """Base of everything in the resource: camelCase outside, frozen, strict about unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    def manifest(self) -> dict[str, Any]:
        """The value as it stands in a manifest: camelCase, without unset optional fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _between(shortest: str, longest: str) -> str:
    """The CEL expression that holds `self` to be a duration between these two."""
    return (
        f"{matches(DURATION.pattern)} && duration(self) >= duration('{shortest}') && duration(self) <="
        f" duration('{longest}')"
    )


class ModelFormat(StrEnum):
    """How the files of a model are laid out."""

    ONNX = "onnx"


class ModelSource(ApiModel):
    """Which model to serve. A change of any field but `changes` makes a new revision."""

    version: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            description="Immutable version of the model: a semantic version such as v1.3.0, or a commit hash.",
            json_schema_extra=cel(
                matches(r"^(v?[0-9]+(\.[0-9]+){0,2}([-+][0-9A-Za-z.+-]+)?|[0-9a-f]{7,64})$"),
                "must be a semantic version such as v1.3.0 or a commit hash: a name such as 'latest' can mean another"
                " model tomorrow, so it can be neither rolled back nor compared",
            ),
        ),
    ]
    uri: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="Where the model's files are: image:///PATH for a folder baked into the serving image.",
            json_schema_extra=cel(
                matches(r"^image:///[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$") + " && !self.contains('/..')",
                "must be image:///PATH, the absolute path of a folder in the serving image, such as"
                " image:///models/iris/v1.3.0",
            ),
        ),
    ]
    format: Annotated[
        ModelFormat, Field(description="Layout of the model's files: onnx is a folder with model.onnx.")
    ] = ModelFormat.ONNX
    changes: Annotated[
        str,
        Field(
            max_length=1024,
            description="What is new in this version, for people; shown in the history. Makes no new revision.",
        ),
    ] = ""


Quantity = Annotated[
    str | int,
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "maxLength": 32,
            **cel(
                "isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",
                "is not a quantity: write a number of at least 0, such as 2, 250m or 512Mi",
            ),
        }
    ),
]
ResourceList = Annotated[dict[Annotated[str, Field(max_length=63)], Quantity], Field(max_length=8)]


_WITHIN_LIMITS = (
    # What is no quantity has a message of its own.
    "self.requests.all(name, !(name in self.limits)"
    " || !isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name]))"
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


_BY_DIGEST = matches(r"^[^\s@]+@sha256:[0-9a-f]{64}$")
_BY_TAG = matches(r"^[^\s@]+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")


class Serving(ApiModel):
    """How the model is served. A change of any field but `replicas` makes a new revision."""

    replicas: Annotated[int, Field(ge=1, le=1000, description="Pods of the stable color.")] = 1
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
    timeout: Annotated[
        Duration,
        Field(
            description="Longest time a request may take, at the gateway and in the prediction API; at most 1h.",
            json_schema_extra=cel(
                _between("1ms", "1h"), "must be a duration from 1ms to 1h, such as 30s: without it a request could hang"
            ),
        ),
    ] = "30s"


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABELS = rf"{_LABEL}(\.{_LABEL})*"


class ParentRef(ApiModel):
    """A Gateway that carries the model's traffic."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            description="Name of the Gateway.",
            json_schema_extra=cel(
                matches(f"^{_LABELS}$"), "must be the name of a Gateway: lower-case letters, digits, dashes and dots"
            ),
        ),
    ]
    namespace: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=63,
            description="Namespace of the Gateway; default: the model's own.",
            json_schema_extra=cel(
                matches(f"^{_LABEL}$"), "must be the name of a namespace: lower-case letters, digits and dashes"
            ),
        ),
    ] = None
    section_name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=253,
            description="One listener of the Gateway; default: all.",
            json_schema_extra=cel(
                matches(f"^{_LABELS}$"), "must be the name of a listener: lower-case letters, digits, dashes and dots"
            ),
        ),
    ] = None


Hostname = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=cel(
            matches(rf"^(\*\.)?{_LABELS}$"),
            "must be a host name without scheme, port or path, such as models.example.com or *.example.com",
        ),
    ),
]


class Traffic(ApiModel):
    """Where requests come from."""

    parent_refs: Annotated[
        list[ParentRef], Field(min_length=1, max_length=8, description="Gateways that carry the traffic, one to eight.")
    ]
    hostnames: Annotated[
        list[Hostname],
        Field(max_length=16, description="Host names that the route answers to; none means all of the listener's."),
    ] = Field(default_factory=list)
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=256,
            description="Path prefix that belongs to this model; it is cut off before the request reaches a pod.",
            json_schema_extra=cel(
                "self == '/' || " + matches(r"^(/[A-Za-z0-9._~-]+)+$"),
                "must begin with / and not end with one, such as /iris",
            ),
        ),
    ] = "/"


class Step(ApiModel):
    """One step of the walk of weights."""

    weight: Annotated[int, Field(ge=1, le=100, description="Share of the traffic for the candidate, in percent.")]
    hold: Annotated[Duration, Field(description="How long the guards watch this weight before the next step.")]
    min_requests: Annotated[
        int,
        Field(
            ge=0,
            le=10_000_000,
            description="Requests that the candidate must have answered in this step, at the least.",
        ),
    ] = 0


class Bake(ApiModel):
    """The time after the last step in which the old color stays warm and the guards stay on."""

    duration: Annotated[Duration, Field(description="How long to bake before the roles are swapped.")] = "10m"
    holdback: Annotated[
        int,
        Field(ge=1, le=50, description="Share that stays on the old color during the bake, as a control, in percent."),
    ] = 5


_SORTED = "self.steps.map(s, s.weight).isSorted() && self.steps.all(s, self.steps.exists_one(t, t.weight == s.weight))"
_FITS = (
    # What is no duration has a message of its own; here it would only be an error of the rule.
    f"!self.steps.all(s, s.hold.matches(r'{DURATION.pattern}'))"
    f" || ![self.bake.duration, self.deadline].all(d, d.matches(r'{DURATION.pattern}'))"
    " || duration(self.bake.duration) + self.steps.map(s, duration(s.hold)).sum() < duration(self.deadline)"
)


class Rollout(ApiModel):
    """How a new revision takes over."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": _SORTED,
                    "message": "the weights must increase from step to step: sort the steps and write each weight once",
                    "fieldPath": ".steps",
                },
                {
                    "rule": "self.steps.all(s, s.weight <= 100 - self.bake.holdback)",
                    "message": "a step may not be above 100 minus bake.holdback: the bake keeps that share on the old"
                    " color as a control; lower the weight of the last step, or the holdback",
                    "fieldPath": ".steps",
                },
                {
                    "rule": _FITS,
                    "message": "the holds of all steps and the bake do not fit into the deadline: raise the deadline or"
                    " shorten the holds",
                    "fieldPath": ".deadline",
                },
            ]
        }
    )

    steps: Annotated[
        list[Step], Field(min_length=1, max_length=20, description="The weights of the candidate, one after the other.")
    ] = [Step(weight=5, hold="2m"), Step(weight=25, hold="5m"), Step(weight=50, hold="5m")]
    bake: Annotated[Bake, Field(description="The last check before the roles are swapped.")] = Bake()
    deadline: Annotated[
        Duration,
        Field(description="A rollout that has not been promoted by then goes back to stable, phase Expired."),
    ] = "2h"
    drain_max: Annotated[
        Duration, Field(description="How long a color without weight is kept for requests that still arrive, at most.")
    ] = "60s"

    @model_validator(mode="after")
    def _weights_increase(self) -> "Rollout":
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError("rollout.steps: the weights must increase from step to step")
        if weights[-1] > 100 - self.bake.holdback:
            raise ValueError("rollout.steps: a step may not be above 100 minus bake.holdback")
        total = sum((parse_duration(step.hold) for step in self.steps), parse_duration(self.bake.duration))
        if total >= parse_duration(self.deadline):
            raise ValueError("rollout.deadline: the holds of all steps and the bake do not fit into it")
        return self


class Policy(StrEnum):
    """What to do when a guard cannot see."""

    HOLD = "Hold"
    ROLLBACK = "Rollback"


class ErrorRateGuard(ApiModel):
    """Errors are answers with a 5xx status, and timeouts; 4xx answers do not count."""

    max: Annotated[Percent, Field(description="Roll back when the candidate's share of errors is above this.")] = "10%"
    worse_than_stable: Annotated[
        Decimal,
        Field(
            description="Roll back when the odds of an error are more than this many times stable's.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) >= 1.0",
                "must be a decimal number of at least 1 in quotes, such as '1.5'",
            ),
        ),
    ] = "1.5"


class LatencyGuard(ApiModel):
    """A bound on one percentile of the candidate's latency."""

    percentile: Annotated[
        str,
        Field(
            max_length=5,
            description="Which percentile, from 50 to 99.9.",
            json_schema_extra=cel(
                matches(r"^[5-9][0-9](\.[1-9])?$"), "must be a percentile from 50 to 99.9 in quotes, such as '95'"
            ),
        ),
    ]
    max: Annotated[
        Duration,
        Field(
            description="Roll back when that percentile is above this, at most 60s; rounded up to the histogram's next"
            " bound.",
            json_schema_extra=cel(
                _between("1ms", "60s"),
                "must be a duration from 1ms to 60s, such as 200ms: slower answers are not told apart",
            ),
        ),
    ]


class MetricsMissing(ApiModel):
    """The policy for a Prometheus that does not answer or has no data of the pods."""

    after: Annotated[Duration, Field(description="How long metrics may be missing; the weights stay meanwhile.")] = (
        "10m"
    )
    then: Annotated[Policy, Field(description="Hold the weights until metrics are back, or roll back (retryable).")] = (
        Policy.HOLD
    )


class NoTraffic(ApiModel):
    """The policy for a rollout that no requests reach."""

    after: Annotated[Duration, Field(description="How long a step may see no requests on both colors.")] = "30m"
    then: Annotated[Policy, Field(description="Hold the weights until there is traffic, or roll back (retryable).")] = (
        Policy.HOLD
    )


class Guards(ApiModel):
    """When a candidate is turned back."""

    error_rate: Annotated[ErrorRateGuard, Field(description="The share of failed requests.")] = ErrorRateGuard()
    latency: Annotated[
        list[LatencyGuard],
        Field(
            max_length=4,
            description="Bounds on latency percentiles.",
            json_schema_extra=cel(
                "self.all(g, self.exists_one(h, h.percentile == g.percentile))",
                "bounds the same percentile twice: keep the stricter one",
            ),
        ),
    ] = Field(default_factory=list)
    metrics_missing: Annotated[MetricsMissing, Field(description="What to do without metrics.")] = MetricsMissing()
    no_traffic: Annotated[NoTraffic, Field(description="What to do without requests.")] = NoTraffic()

    @model_validator(mode="after")
    def _percentiles_differ(self) -> "Guards":
        percentiles = [guard.percentile for guard in self.latency]
        if len(set(percentiles)) < len(percentiles):
            raise ValueError("guards.latency: bounds the same percentile twice: keep the stricter one")
        return self


class ModelDeploymentSpec(ApiModel):
    """A machine-learning model, how it is served, and how a new version takes over."""

    model: Annotated[ModelSource, Field(description="Which model to serve.")]
    serving: Annotated[Serving, Field(description="How the model is served.")] = Serving()
    traffic: Annotated[Traffic, Field(description="Where requests come from.")]
    rollout: Annotated[Rollout, Field(description="How a new revision takes over.")] = Rollout()
    guards: Annotated[Guards, Field(description="When a candidate is turned back.")] = Guards()
    revision_history_limit: Annotated[
        int, Field(ge=1, le=50, description="Old revisions to keep beside those in use.")
    ] = 5
