"""``s3://BUCKET/KEY``: Amazon S3, and whatever else speaks its protocol."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from obstore.store import S3Store

from viridian_serving.artifacts.stores.objects import RETRIES, Objects, Words, client_options
from viridian_serving.artifacts.stores.secret import read_secret
from viridian_serving.artifacts.stores.source import Source

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Config

_KEY, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_WORDS: Final = Words(
    "the S3 store",
    f"check the Secret's {_KEY} and {_SECRET} (and {_TOKEN}) and what they may read, or give the pods a ServiceAccount "
    "with a role that may read it (spec.serving.podTemplate.serviceAccountName), or write spec.model.store.anonymous: "
    "true for a public bucket",
    frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "RequestExpired", "InvalidClientTokenId"}),
)


def open_store(source: Source) -> Objects:
    """Open the bucket of ``source.uri``.

    Raises:
        ModelError: The Secret or other settings cannot be used.
    """
    address = urlsplit(source.uri)
    version = parse_qs(address.query).get("versionId", [None])[0]
    return Objects(partial(connect, source), source.uri, address.path.lstrip("/"), _WORDS, version)


def connect(source: Source, retries: "RetryConfig" = RETRIES) -> tuple[S3Store, Iterable[str]]:
    """Make a client of the bucket of ``source.uri``.

    Args:
        source: Where it is.
        retries: What the client tries again by itself.

    Returns:
        The client, and the secrets of the Secret, which no message repeats.

    Raises:
        ModelError: The Secret or other settings cannot be used.
        obstore.exceptions.BaseError: The credentials make no sense.
    """
    bucket = urlsplit(source.uri).netloc
    secret = read_secret(source.credentials_dir, (_KEY, _SECRET), optional=(_TOKEN,))
    config = _config(source, bucket)
    if secret:
        config["access_key_id"], config["secret_access_key"] = secret[_KEY], secret[_SECRET]
    if _TOKEN in secret:
        config["session_token"] = secret[_TOKEN]
    options = client_options(source)
    return S3Store(bucket, config=config, client_options=options, retry_config=retries), secret.values()


def _config(source: Source, bucket: str) -> "S3Config":
    # Most stores that are not Amazon's know buckets as folders only; Amazon's certificates know none with dots.
    path_style = source.path_style
    if path_style is None:
        path_style = bool(source.endpoint) or "." in bucket
    config: S3Config = {"virtual_hosted_style_request": not path_style, "skip_signature": source.anonymous}
    if source.endpoint:
        scheme, _, host = source.endpoint.partition("://")
        config["endpoint"] = f"{scheme}://{host}" if path_style else f"{scheme}://{bucket}.{host}"
    if source.region:
        config["region"] = source.region
    return config
