"""`spec.model`: which model, where its files are, and how they are laid out."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from viridian_shared.model_format import MAY_RUN_CODE, ModelFormat
from viridian_shared.sources import FETCHED

from .base import ApiModel
from .model_store import ModelStore
from .objects import SecretRef
from .quantities import Duration, Size, between, cel, matches

_SEGMENTS = "[A-Za-z0-9._=+@-]+(/[A-Za-z0-9._=+@-]+)*"
_URIS = (
    rf"^image:///{_SEGMENTS}$",
    rf"^pvc://[a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/{_SEGMENTS}$",
    # A user name and a password have their own field, and what comes after # never reaches a server.
    r"^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/[A-Za-z0-9._~%!$&()*+,;=:@/?-]+$",
    rf"^s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]/{_SEGMENTS}(/|[?]versionId=[A-Za-z0-9._~-]+)?$",
    rf"^gs://[a-z0-9][a-z0-9._-]{{1,220}}[a-z0-9]/{_SEGMENTS}/?$",
    rf"^az://[a-z0-9]{{3,24}}/[a-z0-9$][a-z0-9-]{{1,62}}/{_SEGMENTS}/?$",
    rf"^hf://[A-Za-z0-9._-]+/[A-Za-z0-9._-]+@[0-9a-f]{{40}}(/{_SEGMENTS})?$",
)
_MLFLOW = rf"^mlflow://[A-Za-z0-9._%+-]+/[1-9][0-9]{{0,9}}(/{_SEGMENTS})?$"
_OCI = r"^oci://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[a-z0-9]+([._/-]+[a-z0-9]+)*@sha256:[0-9a-f]{64}$"
_URI_WRONG = (
    "must be image:///PATH, a path in the serving image, or pvc://CLAIM/PATH, or https://HOST/PATH, or s3://BUCKET/KEY,"
    " gs://BUCKET/KEY, az://ACCOUNT/CONTAINER/KEY, or hf://OWNER/REPO@COMMIT with the 40 digits of a commit, or"
    " mlflow://NAME/VERSION, or oci://REGISTRY/REPO@sha256:DIGEST"
)
_MLFLOW_WRONG = (
    "must be mlflow://NAME/VERSION with the number of a version: an alias (NAME@champion) or a stage (NAME/Production)"
    " can mean another version tomorrow"
)
_OCI_WRONG = (
    "must be oci://REGISTRY/REPOSITORY@sha256:DIGEST: a tag can mean other files tomorrow; `oras resolve"
    " REGISTRY/REPOSITORY:TAG` prints the digest of a tag"
)
_NEED_DIGEST = frozenset({"https", "pvc", "s3", "gs", "az", "mlflow"})
"""Their addresses can mean other bytes tomorrow; all but those of a version in S3."""
_ANONYMOUS = frozenset({"s3", "gs", "az"})
"""Stores that can be asked without credentials although the pod has an identity."""
_IS_VERSION = "self.uri.startsWith('s3:') && self.uri.contains('?versionId=')"
_IS_FETCHED = "!(self.uri.startsWith('image:') || self.uri.startsWith('pvc:'))"
_DIGEST_MISSING = (
    "it is needed, so that every pod serves the same files, for all but image, hf and oci models and s3 objects"
    " with ?versionId=: write sha256:<64 hexadecimal digits>, as printed by `kubectl viridian digest URI`"
)
_FETCHED = "an https, s3, gs, az, hf, mlflow or oci uri"
_CREDENTIALS_UNUSED = f"only models that are fetched need credentials: remove it, or write {_FETCHED}"
_STORE_UNUSED = f"only fetched models come from a store: remove it, or write {_FETCHED}"
_OF_S3_ALONE = "region and pathStyle are for s3 uris alone: remove them"
_WITHOUT_TLS = "an endpoint without TLS (http://) is for s3 and mlflow uris alone: write https://"
_ENDPOINT_MISSING = (
    "an mlflow uri needs it: write the address of the tracking server, such as https://mlflow.example.com"
)
_ENDPOINT_UNUSED = "the whole address of an https or oci uri is in the uri: remove the endpoint"
_NO_VOLUME = "only an image in a registry can be mounted as a volume: remove it, or write an oci uri"
_VOLUME_IS_PULLED = "the node pulls the image of an ImageVolume"
_VOLUME_CREDENTIALS = (
    f"{_VOLUME_IS_PULLED}, with a pull secret: remove it, and write the Secret to serving.podTemplate.imagePullSecrets"
)
_VOLUME_STORE = f"{_VOLUME_IS_PULLED}, as its container runtime is configured: remove it"
_NOT_ANONYMOUS = "anonymous is for s3, gs and az uris without credentialsSecretRef: remove one of them"


_TRUST_MISSING = (
    "a model of format sklearn is loaded by running the code in its file: set it to true if you trust its author,"
    " or import the model to ONNX with `viridian import`"
)
_TRUST_UNUSED = "only native formats (sklearn, xgboost, lightgbm) and mlflow have files that may run code: remove it"


_OF_ONE_SCHEME = {"mlflow": (_MLFLOW, _MLFLOW_WRONG), "oci": (_OCI, _OCI_WRONG)}
"""Addresses with their own message, since what people write first is not one that stays the same."""


def _uri_rules() -> dict[str, Any]:
    """CEL: each address belongs to one rule, so that one message is about it."""
    own = {f"self.startsWith('{scheme}:')": rule for scheme, rule in _OF_ONE_SCHEME.items()}
    rules = {
        f"{' || '.join(own)} || {_any_of(_URIS)}": _URI_WRONG,
        **{f"!{is_own} || {_any_of((pattern,))}": wrong for is_own, (pattern, wrong) in own.items()},
    }
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules.items()]}


def _any_of(patterns: Sequence[str]) -> str:
    return f"!self.contains('/..') && ({' || '.join(map(matches, patterns))})"


def _checked_uri(uri: str) -> str:
    """The same in Python, for who has no API server."""
    own, wrong = _OF_ONE_SCHEME.get(uri.partition(":")[0], (None, _URI_WRONG))
    if "/.." in uri or not any(re.fullmatch(pattern, uri) for pattern in ((own,) if own else _URIS)):
        raise ValueError(wrong)
    return uri


class ModelSource(ApiModel):
    """Which model to serve. A change of any field but `changes` makes a new revision."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": f"has(self.digest) || {_IS_VERSION}"
                    f" || !{sorted(_NEED_DIGEST)}.exists(scheme, self.uri.startsWith(scheme + ':'))",
                    "message": _DIGEST_MISSING,
                    "fieldPath": ".digest",
                },
                {
                    "rule": f"!has(self.credentialsSecretRef) || {_IS_FETCHED}",
                    "message": _CREDENTIALS_UNUSED,
                    "fieldPath": ".credentialsSecretRef",
                },
                {"rule": f"!has(self.store) || {_IS_FETCHED}", "message": _STORE_UNUSED, "fieldPath": ".store"},
                {
                    "rule": "!has(self.mount) || self.uri.startsWith('oci:')",
                    "message": _NO_VOLUME,
                    "fieldPath": ".mount",
                },
                {
                    "rule": "!has(self.mount) || !has(self.credentialsSecretRef)",
                    "message": _VOLUME_CREDENTIALS,
                    "fieldPath": ".credentialsSecretRef",
                },
                {"rule": "!has(self.mount) || !has(self.store)", "message": _VOLUME_STORE, "fieldPath": ".store"},
                {
                    "rule": "!has(self.store) || self.uri.startsWith('s3:')"
                    " || !(has(self.store.region) || has(self.store.pathStyle))",
                    "message": _OF_S3_ALONE,
                    "fieldPath": ".store",
                },
                {
                    "rule": "!has(self.store) || !has(self.store.endpoint) || self.uri.startsWith('s3:')"
                    " || self.uri.startsWith('mlflow:') || !self.store.endpoint.startsWith('http:')",
                    "message": _WITHOUT_TLS,
                    "fieldPath": ".store.endpoint",
                },
                {
                    "rule": "!self.uri.startsWith('mlflow:') || has(self.store) && has(self.store.endpoint)",
                    "message": _ENDPOINT_MISSING,
                    "fieldPath": ".store.endpoint",
                },
                {
                    "rule": "!has(self.store) || !has(self.store.endpoint)"
                    " || !(self.uri.startsWith('https:') || self.uri.startsWith('oci:'))",
                    "message": _ENDPOINT_UNUSED,
                    "fieldPath": ".store.endpoint",
                },
                {
                    "rule": "!has(self.store) || !self.store.anonymous"
                    f" || {sorted(_ANONYMOUS)}.exists(scheme, self.uri.startsWith(scheme + ':'))"
                    " && !has(self.credentialsSecretRef)",
                    "message": _NOT_ANONYMOUS,
                    "fieldPath": ".store.anonymous",
                },
                {
                    "rule": "self.format != 'sklearn' || self.trusted",
                    "message": _TRUST_MISSING,
                    "fieldPath": ".trusted",
                },
                {
                    "rule": f"!self.trusted || self.format in {list(MAY_RUN_CODE)}",
                    "message": _TRUST_UNUSED,
                    "fieldPath": ".trusted",
                },
            ]
        }
    )

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
        AfterValidator(_checked_uri),
        Field(
            min_length=1,
            max_length=1024,
            description="Where the model's files are: image:///PATH, a folder baked into the serving image;"
            " pvc://CLAIM/PATH, a file or folder in a PersistentVolumeClaim of the model's namespace, which is mounted"
            " read-only; https://HOST/PATH, a file, or a .tar.gz, .tar or .zip of a folder; s3://BUCKET/KEY,"
            " gs://BUCKET/KEY or az://ACCOUNT/CONTAINER/KEY, such an object, or all below KEY/ as a folder;"
            " hf://OWNER/REPO@COMMIT or hf://OWNER/REPO@COMMIT/PATH, a repository of Hugging Face, or a part of it;"
            " mlflow://NAME/VERSION or mlflow://NAME/VERSION/PATH, a version in MLflow's registry, or a part of it;"
            " oci://REGISTRY/REPOSITORY@sha256:DIGEST, an artifact, or an image with the files in /models.",
            json_schema_extra=_uri_rules(),
        ),
    ]
    digest: Annotated[
        str | None,
        Field(
            max_length=71,
            description="What the files must be, checked by every pod before it serves them; required unless they are"
            " in the serving image or the uri names bytes that never change. Of a file, archives included, the"
            " SHA-256 of its bytes; of a folder, that of the sorted list of its files. `kubectl viridian"
            " digest URI` prints it.",
            json_schema_extra=cel(
                matches("^sha256:[0-9a-f]{64}$"),
                "must be sha256:<64 hexadecimal digits in lower case>, as printed by `kubectl viridian digest URI`",
            ),
        ),
    ] = None
    mount: Annotated[
        Literal["ImageVolume"] | None,
        Field(
            description="ImageVolume: the node pulls the image of an oci uri, and the pod mounts it, in a cluster with"
            " image volumes (Kubernetes 1.35, or the feature gate ImageVolume). It must be an image with the files in"
            " /models, and no artifact of another kind. Default: a container of the pod fetches the files."
        ),
    ] = None
    format: Annotated[
        ModelFormat,
        Field(
            description="Layout of the model's files: onnx is a folder with model.onnx, or that file by itself; triton"
            " is a model repository of Triton with one model; sklearn, xgboost and lightgbm are folders as"
            " `viridian import --native` writes them, and run in the library that trained the model: serving.image"
            " has to be built with its requirements.txt; mlflow is a folder of MLflow with the flavour onnx, or with a"
            " signature and the flavour sklearn, xgboost or lightgbm, which is served as a native format."
        ),
    ] = "onnx"
    trusted: Annotated[
        bool,
        Field(
            description="Whether you trust the model's author: to load a file of format sklearn, and a pickle of"
            " the other native formats or of mlflow, is to run the code in it."
        ),
    ] = False
    credentials_secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Secret of the model's namespace, with the store's usual keys. For https: username and"
            " password, or token; s3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if there is one,"
            " AWS_SESSION_TOKEN; gs: GOOGLE_APPLICATION_CREDENTIALS, the JSON of a service account; az:"
            " AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN, or AZURE_TENANT_ID, AZURE_CLIENT_ID and"
            " AZURE_CLIENT_SECRET; hf: HF_TOKEN; mlflow: MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME"
            " and MLFLOW_TRACKING_PASSWORD, and the keys of the store that has the files, if there is one; oci:"
            " .dockerconfigjson, as in a pull secret, or username and password. Without one, s3, gs and az use the"
            " pod's identity. Only the container that fetches the model sees it."
        ),
    ] = None
    store: Annotated[
        ModelStore | None, Field(description="How to reach the store, where that is not the cloud's own.")
    ] = None
    max_size: Annotated[
        Size,
        Field(description="Largest size of what is fetched, as it is sent and again as it is unpacked."),
    ] = "2Gi"
    fetch_timeout: Annotated[
        Duration,
        Field(
            description="Longest time to fetch and check the files, until the pod tries again; at most 24h.",
            json_schema_extra=cel(between("1s", "24h"), "must be a duration from 1s to 24h, such as 10m"),
        ),
    ] = "10m"
    changes: Annotated[
        str,
        Field(
            max_length=1024,
            description="What is new in this version, for people; shown in the history. Makes no new revision.",
        ),
    ] = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        is_version = self.scheme == "s3" and "?versionId=" in self.uri
        if self.digest is None and self.scheme in _NEED_DIGEST and not is_version:
            raise ValueError(f"digest: {_DIGEST_MISSING}")
        if self.mount is not None:
            self._check_volume()
        if self.credentials_secret_ref is not None and not self.is_fetched:
            raise ValueError(f"credentialsSecretRef: {_CREDENTIALS_UNUSED}")
        if self.store is not None:
            self._check_store(self.store)
        if self.scheme == "mlflow" and (self.store is None or self.store.endpoint is None):
            raise ValueError(f"store.endpoint: {_ENDPOINT_MISSING}")
        if self.format == "sklearn" and not self.trusted:
            raise ValueError(f"trusted: {_TRUST_MISSING}")
        if self.trusted and self.format not in MAY_RUN_CODE:
            raise ValueError(f"trusted: {_TRUST_UNUSED}")
        return self

    def _check_volume(self) -> None:
        if self.scheme != "oci":
            raise ValueError(f"mount: {_NO_VOLUME}")
        if self.credentials_secret_ref is not None:
            raise ValueError(f"credentialsSecretRef: {_VOLUME_CREDENTIALS}")
        if self.store is not None:
            raise ValueError(f"store: {_VOLUME_STORE}")

    def _check_store(self, store: ModelStore) -> None:
        if not self.is_fetched:
            raise ValueError(f"store: {_STORE_UNUSED}")
        if self.scheme != "s3" and (store.region is not None or store.path_style is not None):
            raise ValueError(f"store: {_OF_S3_ALONE}")
        if self.scheme not in ("s3", "mlflow") and (store.endpoint or "").startswith("http:"):
            raise ValueError(f"store.endpoint: {_WITHOUT_TLS}")
        if self.scheme in ("https", "oci") and store.endpoint is not None:
            raise ValueError(f"store.endpoint: {_ENDPOINT_UNUSED}")
        if store.anonymous and (self.scheme not in _ANONYMOUS or self.credentials_secret_ref is not None):
            raise ValueError(f"store.anonymous: {_NOT_ANONYMOUS}")

    @property
    def scheme(self) -> str:
        """What the uri begins with: image, pvc, https, s3, gs, az, hf, mlflow or oci."""
        return urlsplit(self.uri).scheme

    @property
    def is_fetched(self) -> bool:
        """Whether a container brings the files before the others start."""
        return self.scheme in FETCHED and self.mount is None

    @property
    def claim(self) -> str | None:
        """The PersistentVolumeClaim that holds the files, if one does."""
        return urlsplit(self.uri).netloc if self.scheme == "pvc" else None

    @property
    def mounted_image(self) -> str | None:
        """The reference of the image that the node pulls and mounts, if it does."""
        return None if self.mount is None else self.uri.removeprefix("oci://")
