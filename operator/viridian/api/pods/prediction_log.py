"""`spec.serving.log`: where a record of each prediction goes, and what it may show."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from viridian.api.base import ApiModel
from viridian.api.quantities import DECIMAL, Decimal, Size, cel, matches
from viridian_shared.prediction_log import LogSink, RedactAction

_ADDRESS = r"^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/[A-Za-z0-9._~%!$&()*+,;=:@/?-]+$"
_WHERE_TO = "sink OTLP needs the collector's whole address: write one such as https://collector.example:4318/v1/logs"
_TO_NOWHERE = "only sink OTLP sends to an address: remove it, or write sink: OTLP"


class Redaction(ApiModel):
    """A member of instances or predictions that no record shows as it is."""

    name: Annotated[
        str, Field(min_length=1, max_length=256, description="Name of a feature, of an input or of an output.")
    ]
    action: Annotated[
        RedactAction,
        Field(
            description="Drop leaves it out. Mask writes *** in its place. Hash writes a hash by the hash-key of Secret"
            " NAME-log, so that equal values can be told from others; without that key it is like Mask."
        ),
    ] = RedactAction.MASK


class PredictionLog(ApiModel):
    """A record of each prediction. A change of it makes no new revision.

    Secrets come from the Secret NAME-log of the model's namespace, if there is one.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "self.sink != 'OTLP' || has(self.endpoint)",
                    "message": _WHERE_TO,
                    "fieldPath": ".endpoint",
                },
                {
                    "rule": "self.sink == 'OTLP' || !has(self.endpoint)",
                    "message": _TO_NOWHERE,
                    "fieldPath": ".endpoint",
                },
            ]
        }
    )

    sink: Annotated[
        LogSink, Field(description="Stdout, the api container's standard output; or OTLP, a collector by https.")
    ] = LogSink.STDOUT
    endpoint: Annotated[
        str | None,
        Field(
            max_length=1024,
            description="For OTLP: where the collector takes logs.",
            json_schema_extra=cel(
                matches(_ADDRESS),
                "must be the whole address https://HOST:PORT/PATH, such as https://collector.example:4318/v1/logs:"
                " what clients send must be encrypted on the network",
            ),
        ),
    ] = None
    sample: Annotated[
        Decimal,
        Field(
            description="Share of the requests that are logged.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) <= 1.0",
                "must be a decimal number from 0 to 1 in quotes, such as '0.1' for a tenth of the requests",
            ),
        ),
    ] = "1.0"
    redact: Annotated[
        list[Redaction],
        Field(
            max_length=64,
            description="What records do not show in clear, besides the features that schema.yaml calls sensitive.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    queue_size: Annotated[
        Size,
        Field(
            description="Memory that waiting records may take in each pod; what does not fit is dropped and counted."
            " Leave room for it in api.resources."
        ),
    ] = "16Mi"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.sink is LogSink.OTLP and self.endpoint is None:
            raise ValueError(f"endpoint: {_WHERE_TO}")
        if self.sink is not LogSink.OTLP and self.endpoint is not None:
            raise ValueError(f"endpoint: {_TO_NOWHERE}")
        return self
