"""`spec.model`: which model, where its files are, and how they are laid out."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, model_validator

from viridian_shared.model_format import ModelFormat

from .base import ApiModel
from .objects import SecretRef
from .quantities import Duration, Size, between, cel, matches

_SEGMENTS = "[A-Za-z0-9._=+@-]+(/[A-Za-z0-9._=+@-]+)*"
_URIS = (
    rf"^image:///{_SEGMENTS}$",
    rf"^pvc://[a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/{_SEGMENTS}$",
    # A user name and a password have their own field, and what comes after # never reaches a server.
    r"^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/[A-Za-z0-9._~%!$&()*+,;=:@/?-]+$",
)
_DIGEST_MISSING = (
    "https and pvc models need it, so that every pod serves the same files: write sha256:<64 hexadecimal digits>, as"
    " printed by `kubectl viridian digest URI`"
)
_CREDENTIALS_UNUSED = "only https models are fetched with credentials: remove it, or write an https uri"


class ModelSource(ApiModel):
    """Which model to serve. A change of any field but `changes` makes a new revision."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.digest) || !(self.uri.startsWith('https:') || self.uri.startsWith('pvc:'))",
                    "message": _DIGEST_MISSING,
                    "fieldPath": ".digest",
                },
                {
                    "rule": "!has(self.credentialsSecretRef) || self.uri.startsWith('https:')",
                    "message": _CREDENTIALS_UNUSED,
                    "fieldPath": ".credentialsSecretRef",
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
        Field(
            min_length=1,
            max_length=1024,
            description="Where the model's files are: image:///PATH, a folder baked into the serving image;"
            " pvc://CLAIM/PATH, a file or folder in a PersistentVolumeClaim of the model's namespace, which is mounted"
            " read-only; https://HOST/PATH, a file, or a .tar.gz, .tar or .zip of a folder.",
            json_schema_extra=cel(
                f"({' || '.join(map(matches, _URIS))}) && !self.contains('/..')",
                "must be image:///PATH, the absolute path of a folder in the serving image, such as"
                " image:///models/iris/v1.3.0, or pvc://CLAIM/PATH, or https://HOST/PATH",
            ),
        ),
    ]
    digest: Annotated[
        str | None,
        Field(
            max_length=71,
            description="What the files must be, checked by every pod before it serves them; required unless they are"
            " in the serving image. Of a file, archives included, the SHA-256 of its bytes; of a folder, that of the"
            " sorted list of its files. `kubectl viridian digest URI` prints it.",
            json_schema_extra=cel(
                matches("^sha256:[0-9a-f]{64}$"),
                "must be sha256:<64 hexadecimal digits in lower case>, as printed by `kubectl viridian digest URI`",
            ),
        ),
    ] = None
    format: Annotated[
        ModelFormat,
        Field(
            description="Layout of the model's files: onnx is a folder with model.onnx, or that file by itself; triton"
            " is a model repository of Triton with one model."
        ),
    ] = "onnx"
    credentials_secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Secret of the model's namespace with the keys username and password, or token, for an https"
            " uri. Only the container that fetches the model sees it."
        ),
    ] = None
    max_size: Annotated[
        Size,
        Field(description="Largest size of what is fetched by https, as it is sent and again as it is unpacked."),
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
        if self.digest is None and self.scheme in ("https", "pvc"):
            raise ValueError(f"digest: {_DIGEST_MISSING}")
        if self.credentials_secret_ref is not None and self.scheme != "https":
            raise ValueError(f"credentialsSecretRef: {_CREDENTIALS_UNUSED}")
        return self

    @property
    def scheme(self) -> str:
        """What the uri begins with: image, pvc or https."""
        return urlsplit(self.uri).scheme

    @property
    def claim(self) -> str | None:
        """The PersistentVolumeClaim that holds the files, if one does."""
        return urlsplit(self.uri).netloc if self.scheme == "pvc" else None
