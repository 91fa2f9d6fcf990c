"""`spec.model.store`: how to reach the store that a model comes from, where that is not the cloud's own."""

from typing import Annotated

from pydantic import Field

from .base import ApiModel
from .objects import ObjectName
from .quantities import cel, matches


class CertificatesRef(ApiModel):
    """Certificates in a ConfigMap of the model's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the ConfigMap.")]
    key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            description="Key in it, with certificates as text (PEM).",
            json_schema_extra=cel(
                matches("^[A-Za-z0-9._-]+$"), "must be a key: letters, digits, dashes, dots and underscores"
            ),
        ),
    ] = "ca.crt"


class ModelStore(ApiModel):
    """How to reach the store of an s3, gs, az, hf, mlflow or oci uri."""

    endpoint: Annotated[
        str | None,
        Field(
            max_length=512,
            description="Address of the store's server, such as https://minio.storage.svc:9000, without the bucket;"
            " default: that of Amazon S3, Google Cloud Storage, Azure or Hugging Face; required for MLflow's tracking"
            " server. http:// only for s3 uris, and for mlflow uris without credentials.",
            json_schema_extra=cel(
                matches(r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"),
                "must be https://HOST or https://HOST:PORT, without a path, such as https://minio.storage.svc:9000",
            ),
        ),
    ] = None
    region: Annotated[
        str | None,
        Field(
            max_length=64,
            description="Region of the bucket of an s3 uri; default: AWS_REGION of the pod, else us-east-1.",
            json_schema_extra=cel(
                matches("^[a-z0-9-]+$"), "must be the name of a region, such as eu-central-1, in lower case"
            ),
        ),
    ] = None
    path_style: Annotated[
        bool | None,
        Field(
            description="Whether the bucket of an s3 uri is the first folder of the address (true), or a part of the"
            " host's name (false); default: true with an endpoint."
        ),
    ] = None
    anonymous: Annotated[
        bool, Field(description="Whether to ask without credentials, for a public bucket of an s3, gs or az uri.")
    ] = False
    ca_config_map: Annotated[
        CertificatesRef | None,
        Field(description="Certificates of authorities of your own that vouch for the server, beside the system's."),
    ] = None
