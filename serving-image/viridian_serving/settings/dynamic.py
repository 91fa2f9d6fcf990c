"""Settings that take effect in a running pod: its file is a ConfigMap's.

They say how requests are handled, not what the model answers, so that a change of them needs no new pods.
"""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from viridian_serving.settings.config import PositiveSeconds, Seconds, Size
from viridian_serving.settings.file_watch import LiveFileError, read_file
from viridian_shared.objectives import DEFAULT_AVAILABILITY, DEFAULT_LATENCY
from viridian_shared.prediction_log import LogSink, RedactAction


class _Part(BaseModel):
    # A newer operator may write what this image does not know.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class CacheSettings(_Part):
    """Which answers may be given again."""

    ttl: PositiveSeconds
    """Seconds for which an answer is as good as new."""
    stale_if_error: Seconds = 0.0
    """Seconds for which an answer is better than an error."""
    max_size: Size = 64 << 20
    """Bytes of memory."""


class RateLimitSettings(_Part):
    """How many requests one client may send to one pod."""

    requests_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    burst: Annotated[int, Field(ge=1)] | None = None
    """Requests that may come together after a pause; by default those of one second."""
    client_header: str | None = None
    """The header that names the client, set by the gateway and by nobody else; None goes by the client's address."""


class RedactSettings(_Part):
    """What is done to a member of instances and predictions before it is logged."""

    name: str
    action: RedactAction = RedactAction.MASK


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    encrypted = parts.scheme == "https" and parts.hostname
    inside = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if (encrypted or inside) and parts.path.strip("/"):
        return url
    raise ValueError(
        "what clients send must be encrypted on the network; write https://HOST:PORT/v1/logs, or http:// with "
        "127.0.0.1 for a collector on the same machine"
    )


class LogSettings(_Part):
    """Where a record of each prediction goes, and what it may show."""

    sink: LogSink = LogSink.STDOUT
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    """For OTLP: the whole address of a collector."""
    sample: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """Share of the requests that are logged."""
    redact: tuple[RedactSettings, ...] = ()
    queue_size: Size = 16 << 20
    """Bytes of records that wait to be delivered."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.sink is LogSink.OTLP) != (self.endpoint is not None):
            raise ValueError("sink OTLP, and only that, needs an endpoint, such as https://HOST:4318/v1/logs")
        return self


def _share(text: object) -> object:
    return round(float(text[:-1]) / 100, 9) if isinstance(text, str) and text.endswith("%") else text


def _number(text: object) -> object:
    return float(text) if isinstance(text, str) else text


class ObjectiveSettings(_Part):
    """What the model's users may expect; pods only repeat it as metrics, for alerts."""

    availability: Annotated[float, BeforeValidator(_share), Field(gt=0, lt=1)] = DEFAULT_AVAILABILITY
    latency: dict[Annotated[str, Field(pattern=r"^p[0-9]{2}(\.[0-9])?$")], PositiveSeconds] = DEFAULT_LATENCY
    """Bounds in seconds, by percentile."""
    cost_per_1000: Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] | None = None
    """What 1,000 predictions may cost."""


class LiveSettings(_Part):
    """All of them; what is absent is off, but for the objectives, which have defaults."""

    cache: CacheSettings | None = None
    rate_limit: RateLimitSettings | None = None
    log: LogSettings | None = None
    objectives: ObjectiveSettings = ObjectiveSettings()


def read(file: Path) -> LiveSettings:
    """Read the file; one that is not there is an empty one.

    Raises:
        LiveFileError: It cannot be read or used.
    """
    text = read_file(file)
    if text is None:
        return LiveSettings()
    try:
        return LiveSettings.model_validate_json(text)
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise LiveFileError(f"{file} cannot be used: {told}") from error
