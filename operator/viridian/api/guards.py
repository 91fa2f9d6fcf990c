"""`spec.guards`: when a candidate is rolled back."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from .base import ApiModel
from .quantities import DECIMAL, Decimal, Duration, Number, Percent, between, cel, matches


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
        Duration | None,
        Field(
            description="Roll back when that percentile is above this, at most 60s; rounded up to the histogram's next"
            " bound.",
            json_schema_extra=cel(
                between("1ms", "60s"),
                "must be a duration from 1ms to 60s, such as 200ms: slower answers are not told apart",
            ),
        ),
    ] = None
    max_times_stable: Annotated[
        Decimal | None,
        Field(
            description="Roll back when that percentile is above this many times stable's before the candidate got"
            " weight. Needs two replicas.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) >= 1.0",
                "must be a decimal number of at least 1 in quotes, such as '1.5'",
            ),
        ),
    ] = None


class RejectedGuard(ApiModel):
    """Rejected requests are those that got a 4xx answer, such as inputs that the candidate's schema refuses."""

    worse_than_stable: Annotated[
        Decimal,
        Field(
            description="Roll back when the odds of a rejected request are more than this many times stable's.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) >= 1.0",
                "must be a decimal number of at least 1 in quotes, such as '1.5'",
            ),
        ),
    ] = "1.5"


class PredictionsGuard(ApiModel):
    """Limits on how far the candidate's labels may differ from stable's; without them they are reported only."""

    max_shift: Annotated[
        Percent | None,
        Field(description="Roll back when the total variation distance between the labels of both is above this."),
    ] = None
    max_class_ratio: Annotated[
        Decimal | None,
        Field(
            description="Roll back when any label's share is more than this many times as large on one side.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) > 1.0",
                "must be a decimal number above 1 in quotes, such as '2'",
            ),
        ),
    ] = None


class AgreementGuard(ApiModel):
    """Agreement on the same requests, as shadow steps count it."""

    min: Annotated[
        Percent,
        Field(description="Roll back when a smaller share of the shadow requests is answered as by stable."),
    ]


class AccuracyGuard(ApiModel):
    """Accuracy by feedback, of predictions of the same age."""

    worse_than_stable: Annotated[
        Decimal,
        Field(
            description="Roll back when the odds of a wrong prediction are more than this many times stable's.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) >= 1.0",
                "must be a decimal number of at least 1 in quotes, such as '1.5'",
            ),
        ),
    ] = "1.5"


class QueryGuard(ApiModel):
    """A question of your own to Prometheus, whose answer is one number."""

    name: Annotated[
        str,
        Field(
            max_length=32,
            description="What status and messages call it.",
            json_schema_extra=cel(
                matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"), "must be lower-case letters, digits and dashes"
            ),
        ),
    ]
    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            description="PromQL that answers one sample; $revision and $stable stand for the names of the revisions.",
        ),
    ]
    max: Annotated[
        Number, Field(description="Roll back when the answer is above this three times in a row, 30s apart.")
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
    """When a candidate is rolled back."""

    error_rate: Annotated[ErrorRateGuard, Field(description="The share of failed requests.")] = ErrorRateGuard()
    latency: Annotated[
        list[LatencyGuard],
        Field(
            max_length=4,
            description="Bounds on latency percentiles.",
            json_schema_extra={
                "x-kubernetes-validations": [
                    {
                        "rule": "self.all(g, self.exists_one(h, h.percentile == g.percentile))",
                        "message": "bounds the same percentile twice: keep the stricter one",
                    },
                    {
                        "rule": "self.all(g, has(g.max) || has(g.maxTimesStable))",
                        "message": "bounds a percentile by nothing: write max, maxTimesStable, or both",
                    },
                ]
            },
        ),
    ] = Field(default_factory=list)
    rejected: Annotated[
        RejectedGuard | None, Field(description="The share of rejected requests (4xx). Absent: not judged.")
    ] = None
    predictions: Annotated[
        PredictionsGuard | None, Field(description="The labels that are predicted. Absent: reported, not judged.")
    ] = None
    agreement: Annotated[
        AgreementGuard | None, Field(description="Agreement with stable in shadow steps. Absent: not judged.")
    ] = None
    accuracy: Annotated[AccuracyGuard | None, Field(description="Accuracy by feedback. Absent: not judged.")] = None
    queries: Annotated[
        list[QueryGuard],
        Field(
            max_length=3,
            description="Your own PromQL queries, at most three. Ignored, with a sentence in"
            " status.guards, unless the operator has an endpoint for them.",
            json_schema_extra=cel(
                "self.all(q, self.exists_one(r, r.name == q.name))",
                "has two queries of the same name: give each its own",
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

    @model_validator(mode="after")
    def _percentiles_have_bounds(self) -> "Guards":
        if any(guard.max is None and guard.max_times_stable is None for guard in self.latency):
            raise ValueError("guards.latency: bounds a percentile by nothing: write max, maxTimesStable, or both")
        return self

    @model_validator(mode="after")
    def _queries_differ(self) -> "Guards":
        names = [guard.name for guard in self.queries]
        if len(set(names)) < len(names):
            raise ValueError("guards.queries: has two queries of the same name: give each its own")
        return self
