"""Settings of both containers, read from the environment.

The operator sets the identity (namespace, model, revision and so on) in both containers alike; everything else has a
default that suits a pod, and exists so that tests and unusual pods can change it.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from viridian_serving.http1.listeners import ANY, reach
from viridian_serving.settings.cpu import parse_cpus
from viridian_shared.color import Color
from viridian_shared.counts.latency import GRID
from viridian_shared.digest import PATTERN as DIGEST
from viridian_shared.drill import DrillKind
from viridian_shared.durations import parse_duration
from viridian_shared.model_format import ModelFormat
from viridian_shared.pod import paths, ports
from viridian_shared.pod.shutdown import API_END, DRAIN_DELAY
from viridian_shared.pod.variables import PREFIX
from viridian_shared.sizes import parse_size
from viridian_shared.sources import FETCHED

TERMINATION_LOG = Path("/dev/termination-log")
"""The kubelet copies this file into the pod's status."""


class ConfigError(Exception):
    """The environment does not describe a pod that could run."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


def _seconds(value: object) -> object:
    return parse_duration(value).total_seconds() if isinstance(value, str) else value


def _cpus(value: object) -> object:
    return parse_cpus(value) if isinstance(value, str) else value


def _buckets(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise ValueError(f"{value!r} is not a list of numbers; write seconds like 0.01,0.1,1") from None


def _address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{value!r} is not HOST:PORT; write the Service of the model, such as iris.ml.svc:8080")
    return host, int(port)


def _other_color(stable: tuple[str, int] | None, model: str, color: Color) -> tuple[str, int] | None:
    if stable is None or not stable[0].startswith(f"{model}."):
        return None
    return f"{model}-{color.other}{stable[0].removeprefix(model)}", ports.SPLIT


def _words(value: object) -> object:
    return tuple(word for part in value.split(",") if (word := part.strip())) if isinstance(value, str) else value


def _increasing(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if not bounds or not bounds[0] > 0 or not all(a < b for a, b in pairwise(bounds)):
        raise ValueError("the bounds must be positive seconds, each greater than the one before")
    if bounds[-1] == float("inf"):
        raise ValueError("the last bound must be finite; +Inf is added by itself")
    return bounds


def _mutable(version: str) -> str:
    if version == "latest":
        raise ValueError("'latest' names whatever is newest, not a version; write a version such as v1.2.0")
    return version


def _bytes(value: object) -> object:
    return parse_size(value) << 20 if isinstance(value, str) else value


Size = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]
"""Bytes."""
SHORTEST_KEY = 16
"""Fewest characters of a secret that cannot be guessed."""


def _keys(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A Secret that was made from a file ends with a line break.
    keys = tuple(key.strip() for key in value.split(","))
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"a key has fewer than {SHORTEST_KEY} characters; make one by: openssl rand -base64 32")
    return keys


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1)]
Format = ModelFormat


class Settings(BaseModel):
    """What a serving pod knows about itself. Field ``x`` is read from variable ``VIRIDIAN_X``."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    namespace: Text
    model: Text
    model_version: Annotated[Text, AfterValidator(_mutable)]
    model_uri: Text
    model_format: Format = "onnx"
    model_trusted: bool = False
    """Whether whoever serves the model trusts its author: loading some native formats runs their code."""
    model_mounted: bool = False
    """Whether the image of an ``oci://`` address is mounted as it is."""
    model_digest: Annotated[str, Field(pattern=f"^{DIGEST.pattern}$")] | None = None
    """What ``viridian-fetch`` must find; None where the image itself vouches for the model."""
    revision: Text
    color: Color
    pod_uid: Text

    model_max_size: Size = 2 << 30
    """Bytes that may be fetched, and again bytes that may be unpacked."""
    fetch_timeout: PositiveSeconds = 600.0
    fetch_look: bool = False
    """Whether ``viridian-fetch`` only says if what it would fetch is there."""
    model_cache_max_size: Size = 50 << 30
    """Bytes of all that is in ``model_cache``."""
    store_endpoint: Annotated[str, Field(pattern="^https?://[^/?#]+$")] | None = None
    """Address of the store's server; None for that of the cloud."""
    store_region: Text | None = None
    store_path_style: bool | None = None
    """Whether a bucket is a folder of the endpoint, rather than a part of its name; None goes by the endpoint."""
    store_anonymous: bool = False
    """Whether the store is asked without credentials."""

    timeout: PositiveSeconds = 30.0
    scrape_interval: PositiveSeconds = 15.0
    latency_buckets: Annotated[tuple[float, ...], BeforeValidator(_buckets), AfterValidator(_increasing)] = GRID
    abandoned_after: Seconds = 1.0
    """A client that gives up after this many seconds counts as an error; earlier, its request is not judged."""

    stable: Annotated[tuple[str, int] | None, BeforeValidator(_address)] = None
    """Host and port of the Service that leads to the stable revision; None means that there is none to ask."""
    other_color: Annotated[tuple[str, int] | None, BeforeValidator(_address)] = Field(
        default_factory=lambda given: _other_color(given["stable"], given["model"], given["color"])
    )
    """Host and port of the Service of the other color, which gets copies in a shadow step; by default found by the name
    of the one that leads to stable."""
    fallback_after: PositiveSeconds | None = None
    """Seconds after which stable is asked too when the model has not answered yet; None goes by the trial inference."""

    feedback_key: Annotated[tuple[str, ...], BeforeValidator(_keys), Field(repr=False)] = ()
    """Secrets of the model by which feedback tokens are signed, the first, and checked, all. Without one there are no
    tokens."""
    feedback_lifetime: PositiveSeconds = 30 * 24 * 3600.0
    """Seconds for which a feedback token is good."""

    drill: DrillKind | None = None
    """How this pod fails on purpose; the operator sets it on the twin of a drill alone."""
    drill_delay: PositiveSeconds = 1.0
    """Seconds by which each answer is late in a drill of kind Slow."""

    drain_delay: Seconds = DRAIN_DELAY.total_seconds()
    """Seconds after SIGTERM in which new connections are still served, while the endpoint disappears everywhere."""
    grace: PositiveSeconds = Field(
        default_factory=lambda given: given["drain_delay"] + given["timeout"] + API_END.total_seconds()
    )
    """Seconds after SIGTERM by which the API has ended at the latest, and for which Triton waits for it. By default as
    long as the slowest request may take."""

    cpu_limit: Annotated[float | None, BeforeValidator(_cpus)] = None
    max_body: Annotated[int, Field(gt=0)] = 16 * 1024 * 1024
    """Bytes."""
    max_bodies: Annotated[int, Field(gt=0)] = Field(default_factory=lambda given: 16 * given["max_body"])
    """Bytes of all bodies that are held at a time; beyond them, one that is still arriving is refused with 503."""
    max_instances: Annotated[int, Field(gt=0)] = 1000
    """Instances in one request to ``/predict``."""
    max_queue: Annotated[int, Field(gt=0)] = 1024
    """Instances that wait for Triton before new ones are turned away with 503."""
    allow_model_code: bool = True
    """Whether a model may bring its own code: preprocess.py, Python and other libraries for Triton."""
    preprocess_timeout: PositiveSeconds = 1.0
    """Seconds for a call of preprocess.py, with up to 64 instances; its process is then made anew."""
    calls_in_flight: Annotated[int, Field(gt=0)] = 2
    """Joined calls to Triton at the same time: one that is computed and one that is ready to follow it."""

    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    """Origins whose pages may ask, such as ``http://localhost:3000``, by commas; ``*`` for any."""
    bind: Text = ANY
    """A pod is reached from outside; Triton itself is bound to loopback."""
    http_port: Port = ports.SPLIT
    grpc_port: Port = ports.GRPC
    fallback_port: Port = ports.STABLE
    metrics_port: Port = ports.METRICS
    triton_http_port: Port = 8500
    triton_grpc_port: Port = 8501
    triton_metrics_port: Port = 8502
    triton_log_info: bool = True
    """Whether Triton logs more than warnings and errors."""

    image_root: Path = Path("/")
    """Where ``image://`` begins."""
    model_mount: Path = Path(paths.MODEL)
    """The claim of ``pvc://``, the image of ``oci://``, or the volume in which ``viridian-fetch`` puts what it fetched.
    """
    credentials_dir: Path = Path(paths.MODEL_CREDENTIALS)
    """The Secret of ``spec.model.credentialsSecretRef``: a file for each key."""
    model_cache: Path | None = None
    """Where pods keep for each other what they fetched."""
    store_ca: Path | None = None
    """Certificates of the authorities that vouch for the store's server, beside the system's."""
    live_settings: Path = Path(paths.LIVE_SETTINGS, paths.LIVE_SETTINGS_FILE)
    """What may change while the pod runs."""
    log_secret_dir: Path = Path(paths.LOG_SECRET)
    """The Secret of the prediction log: a file for each key."""
    api_keys_dir: Path | None = None
    """The Secret with the API keys of clients, a file for each; None where the model answers everybody."""
    run_dir: Path = Path(paths.RUN)
    triton_home: Path = Path("/opt/tritonserver")
    termination_log: Path = TERMINATION_LOG

    @property
    def is_fetched(self) -> bool:
        """Whether the model's files are brought to ``model_mount``; else they are there already."""
        return urlsplit(self.model_uri).scheme in FETCHED and not self.model_mounted

    @property
    def own_address(self) -> str:
        """Where this pod itself reaches what it binds."""
        return reach(self.bind)

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        if self.max_bodies < self.max_body:
            raise ValueError(
                f"VIRIDIAN_MAX_BODIES ({self.max_bodies}) must be at least VIRIDIAN_MAX_BODY ({self.max_body}), or the "
                "largest body never has room; raise it"
            )
        if self.drain_delay >= self.grace:
            raise ValueError(
                f"VIRIDIAN_DRAIN_DELAY ({self.drain_delay:g}s) must be shorter than VIRIDIAN_GRACE ({self.grace:g}s), "
                "or running requests are cut off; raise VIRIDIAN_GRACE"
            )
        return self


_SECRET = frozenset({"feedback_key"})
"""Settings whose value no message repeats."""


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        environ: The process environment. Variables with our prefix that name no setting are ignored, since an older
            image must run under a newer operator.

    Returns:
        The settings.

    Raises:
        ConfigError: A variable is missing or its value cannot be used; one sentence for each.
    """
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    values = {field: environ[variable] for variable, field in known.items() if environ.get(variable, "") != ""}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # A default that is made of values which are wrong themselves is no second mistake.
        problems = [dict(problem) for problem in error.errors() if problem["type"] != "default_factory_not_called"]
        raise ConfigError([_sentence(problem, environ) for problem in problems]) from None


def termination_log(environ: Mapping[str, str]) -> Path:
    """Where to report that the other settings cannot be used."""
    return Path(environ.get(PREFIX + "TERMINATION_LOG") or TERMINATION_LOG)


def _sentence(problem: dict[str, object], environ: Mapping[str, str]) -> str:
    location = problem["loc"]
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not isinstance(location, tuple) or not location:
        return message
    variable = PREFIX + str(location[0]).upper()
    if location[0] in _SECRET:
        return f"{variable} cannot be used: {message}"
    if problem["type"] == "missing":
        return f"{variable} is not set; the operator sets it in both containers, set it when running by hand"
    return f"{variable}={environ.get(variable)!r} cannot be used: {message}"
