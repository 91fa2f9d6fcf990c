"""`spec.checks`: what a candidate must pass before the first user's request reaches it."""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from .base import ApiModel
from .model_store import ModelStore
from .objects import LABEL, ObjectName, SecretRef
from .pods.pod_template import ConfigMapKey, EnvVar
from .quantities import DECIMAL, Decimal, Duration, Percent, between, cel, matches
from .serving import Resources

SMOKE: Final = "smoke"
GOLDEN: Final = "golden"
LOAD: Final = "load"
REPLAY: Final = "replay"
BUILT_IN: Final = (SMOKE, GOLDEN, LOAD, REPLAY)
"""The checks that the serving image makes, in their order. Jobs of the user come before the last one."""
KEPT: Final = "kept"
"""The look at what a rollback goes back to, which is no check of a candidate."""
OWN: Final = (*BUILT_IN, KEPT)
"""Names that no job of the user may have."""

_NO_CONFIG_MAP = "from: ConfigMap needs configMapRef, and from: Model has none"
_NAMES_ARE_TAKEN = f"the names of jobs must be different, and none of {', '.join(OWN)}"


class GoldenSource(StrEnum):
    """Where requests with expected answers come from."""

    MODEL = "Model"
    CONFIG_MAP = "ConfigMap"


class GoldenCheck(ApiModel):
    """Requests whose right answers are known: each is sent to the candidate and compared."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "(has(self.from) && self.from == 'ConfigMap') == has(self.configMapRef)",
                    "message": _NO_CONFIG_MAP,
                    "fieldPath": ".configMapRef",
                }
            ]
        }
    )

    source: Annotated[
        GoldenSource,
        Field(
            alias="from",
            description="Model: the file golden.jsonl beside the model, as viridian import writes it. ConfigMap: a key"
            " of one, in the same form.",
        ),
    ] = GoldenSource.MODEL
    config_map_ref: Annotated[ConfigMapKey | None, Field(description="Key of the ConfigMap with the requests.")] = None
    tolerance: Annotated[
        Decimal | None,
        Field(
            description="How far apart numbers may be: absolute below 1, relative above. Absent: as each request says,"
            " which is 0.0001 by default.",
            json_schema_extra=cel(matches(DECIMAL.pattern), "must be a decimal number in quotes, such as '0.001'"),
        ),
    ] = None
    min_agreement: Annotated[
        Percent | None, Field(description="Share of the requests whose answers must be as expected. Absent: all.")
    ] = None

    @model_validator(mode="after")
    def _has_its_source(self) -> Self:
        if (self.source is GoldenSource.CONFIG_MAP) != (self.config_map_ref is not None):
            raise ValueError(_NO_CONFIG_MAP)
        return self


class LoadCheck(ApiModel):
    """Real inputs at a fixed rate, sent whether or not earlier ones were answered."""

    requests: Annotated[int, Field(ge=10, le=100_000, description="Requests to send.")] = 500
    rate: Annotated[
        int,
        Field(ge=1, le=5000, description="Requests a second. Each is sent at its time, however late answers are."),
    ] = 50
    p99: Annotated[
        Duration | None,
        Field(
            description="99 of 100 answers must not take longer, from the time at which the request was due.",
            json_schema_extra=cel(between("1ms", "60s"), "must be a duration from 1ms to 60s, such as 200ms"),
        ),
    ] = None
    max_errors: Annotated[Percent | None, Field(description="Share of requests that may fail. Absent: none.")] = None
    compared_with_stable: Annotated[
        Decimal | None,
        Field(
            description="The candidate's P99 may be at most so many times stable's, measured right before with the same"
            " requests at a tenth of the rate. Without a stable revision it says nothing.",
            json_schema_extra=cel(
                f"{matches(DECIMAL.pattern)} && double(self) >= 1.0",
                "must be a decimal number of at least 1 in quotes, such as '1.5'",
            ),
        ),
    ] = None


class JobTemplate(ApiModel):
    """The container of a check of your own. It runs without the rights of a service account."""

    image: Annotated[
        str,
        Field(
            max_length=512,
            description="Its image; empty takes the serving image.",
        ),
    ] = ""
    command: Annotated[
        list[Annotated[str, Field(max_length=4096)]], Field(max_length=32, description="What it runs.")
    ] = Field(default_factory=list)
    args: Annotated[
        list[Annotated[str, Field(max_length=4096)]], Field(max_length=64, description="Arguments of that.")
    ] = Field(default_factory=list)
    env: Annotated[
        list[EnvVar],
        Field(
            max_length=32,
            description="Variables beside VIRIDIAN_CANDIDATE_URL, VIRIDIAN_STABLE_URL, VIRIDIAN_MODEL,"
            " VIRIDIAN_MODEL_VERSION and VIRIDIAN_REVISION.",
        ),
    ] = Field(default_factory=list)
    resources: Annotated[Resources, Field(description="CPU and memory.")] = Resources()


class JobCheck(ApiModel):
    """A test suite of your own; its exit code decides: 0 is passed, anything else failed."""

    name: Annotated[
        str,
        Field(
            max_length=24,
            description="What status and messages call it.",
            json_schema_extra=cel(matches(f"^{LABEL}$"), "must be lower-case letters, digits and dashes"),
        ),
    ]
    template: Annotated[JobTemplate, Field(description="The container that runs it.")] = JobTemplate()
    config_map_ref: Annotated[
        ObjectName | None,
        Field(description="ConfigMap whose keys are files below /etc/viridian/check, such as a test script."),
    ] = None
    timeout: Annotated[
        Duration,
        Field(
            description="A suite that has not ended by then has failed.",
            json_schema_extra=cel(between("1s", "24h"), "must be a duration from 1s to 24h, such as 10m"),
        ),
    ] = "10m"


_FOLDER = "[A-Za-z0-9._=+@/-]*"
_LOG_URI = (
    rf"^(pvc://[a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?|s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]"
    rf"|gs://[a-z0-9][a-z0-9._-]{{1,220}}[a-z0-9]|az://[a-z0-9]{{3,24}}/[a-z0-9$][a-z0-9-]{{1,62}})/{_FOLDER}$"
)
_IN_A_CLAIM = "a claim needs neither store nor credentialsSecretRef: remove them, or write an s3, gs or az uri"


class ReplayCheck(ApiModel):
    """Requests of users from the prediction log: the candidate's answers are compared with those that were logged."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "!self.uri.startsWith('pvc:') || !(has(self.store) || has(self.credentialsSecretRef))",
                    "message": _IN_A_CLAIM,
                    "fieldPath": ".uri",
                }
            ]
        }
    )

    source: Annotated[
        Literal["PredictionLog"],
        Field(alias="from", description="Where requests come from: the records of serving.log."),
    ] = "PredictionLog"
    uri: Annotated[
        str,
        Field(
            max_length=1024,
            description="Where your collector stores the records, as files of JSON lines whose names sort by time,"
            " which may be packed (.gz): pvc://CLAIM/PATH, s3://BUCKET/KEY, gs://BUCKET/KEY or"
            " az://ACCOUNT/CONTAINER/KEY, a file or all below a folder. The last files are read first.",
            json_schema_extra=cel(
                f"{matches(_LOG_URI)} && !self.contains('..')",
                "must be pvc://CLAIM/PATH, s3://BUCKET/KEY, gs://BUCKET/KEY or az://ACCOUNT/CONTAINER/KEY",
            ),
        ),
    ]
    store: Annotated[
        ModelStore | None, Field(description="How to reach the store, where that is not the cloud's own.")
    ] = None
    credentials_secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Secret of the model's namespace that lets the check read the log, with the same keys as"
            " model.credentialsSecretRef has. Without one, the pod's identity counts."
        ),
    ] = None
    last: Annotated[
        Duration,
        Field(
            description="How far back requests are taken.",
            json_schema_extra=cel(between("1m", "720h"), "must be a duration from 1m to 720h, such as 24h"),
        ),
    ] = "24h"
    max: Annotated[int, Field(ge=1, le=10_000, description="So many of the newest requests, at most.")] = 1000
    min_agreement: Annotated[
        Percent | None,
        Field(
            description="Share of the requests that must be answered as they were logged: labels the same, numbers"
            " within 1 %. Absent: the result only says how many are."
        ),
    ] = None

    @property
    def claim(self) -> str | None:
        """The PersistentVolumeClaim that holds the log, if one does."""
        address = urlsplit(self.uri)
        return address.netloc if address.scheme == "pvc" else None

    @model_validator(mode="after")
    def _has_its_place(self) -> Self:
        if self.claim is not None and (self.store is not None or self.credentials_secret_ref is not None):
            raise ValueError(_IN_A_CLAIM)
        return self


class KeptCheck(ApiModel):
    """A look at the revision that the command rollback would bring back: whether it can still be run."""

    every: Annotated[
        Duration,
        Field(
            description="How often a Job looks, while no rollout runs.",
            json_schema_extra=cel(between("24h", "720h"), "must be a duration from 24h to 720h, such as 24h"),
        ),
    ] = "24h"


class Checks(ApiModel):
    """Checks of the candidate's pods before any user's request, one after the other, in the order of the fields.

    Every pod has answered a trial inference before it is ready, whatever is written here.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"self.jobs.all(j, self.jobs.exists_one(k, k.name == j.name) && !(j.name in {list(OWN)}))",
                    "message": _NAMES_ARE_TAKEN,
                    "fieldPath": ".jobs",
                }
            ]
        }
    )

    smoke: Annotated[
        bool | None,
        Field(
            description="Send the candidate its sample, also by tritonclient, and stable's example and golden requests;"
            " compare the schemas. Absent: it runs, unless the operator was installed with checks.smoke=false and no"
            " other check is asked for; if it cannot run, the rollout goes on without it. true: the rollout waits"
            " until it can. false: never."
        ),
    ] = None
    golden: Annotated[GoldenCheck | None, Field(description="Compare answers with expected ones.")] = None
    load: Annotated[LoadCheck | None, Field(description="Send a bounded load.")] = None
    jobs: Annotated[list[JobCheck], Field(max_length=8, description="Test suites of your own.")] = Field(
        default_factory=list
    )

    replay: Annotated[ReplayCheck | None, Field(description="Ask what users have asked, and compare answers.")] = None

    kept: Annotated[
        KeptCheck | None,
        Field(
            description="Look now and then whether the image, and the model's files, of the revision to go back to are"
            " still there; RollbackReady says what was found. Absent: nobody looks."
        ),
    ] = None

    @property
    def names(self) -> tuple[str, ...]:
        """The checks that are asked for, in their order."""
        wanted: dict[str, Any] = {GOLDEN: self.golden, LOAD: self.load}
        built_in = [name for name in wanted if wanted[name] is not None]
        last = (REPLAY,) if self.replay is not None else ()
        others = (*built_in, *(job.name for job in self.jobs), *last)
        smoke = bool(others) if self.smoke is None else self.smoke
        return (SMOKE, *others) if smoke else others

    def names_with(self, *, smoke: bool) -> tuple[str, ...]:
        """The checks that run, in their order.

        Args:
            smoke: Whether smoke runs where nothing is said about it, and no other check is asked for.
        """
        return self.names or ((SMOKE,) if smoke and self.smoke is None else ())

    def job(self, name: str) -> JobCheck | None:
        """The user's own check of this name."""
        return next((job for job in self.jobs if job.name == name), None)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [job.name for job in self.jobs]
        if len(set(names)) < len(names) or not set(names).isdisjoint(OWN):
            raise ValueError(_NAMES_ARE_TAKEN)
        return self
