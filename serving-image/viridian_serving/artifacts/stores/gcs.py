"""``gs://BUCKET/KEY``: Google Cloud Storage."""

import json
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from obstore.store import GCSStore

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.artifacts.stores.objects import RETRIES, Objects, Words, client_options
from viridian_serving.artifacts.stores.secret import FIELD, read_secret
from viridian_serving.artifacts.stores.source import Source

if TYPE_CHECKING:
    from obstore.store import GCSConfig, RetryConfig

_KEY: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_WORDS: Final = Words(
    "Google Cloud Storage",
    f"check the Secret's {_KEY}, which is the JSON of a service account's key, and what that account may read, or give "
    "the pods a ServiceAccount with access (spec.serving.podTemplate.serviceAccountName), or write "
    "spec.model.store.anonymous: true for a public bucket",
    frozenset(),
)


def open_store(source: Source) -> Objects:
    """Open the bucket of ``source.uri``.

    Raises:
        ModelError: The Secret or other settings cannot be used.
    """
    return Objects(partial(connect, source), source.uri, urlsplit(source.uri).path.lstrip("/"), _WORDS)


def connect(source: Source, retries: "RetryConfig" = RETRIES) -> tuple[GCSStore, Iterable[str]]:
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
    secret = read_secret(source.credentials_dir, (_KEY,))
    config: GCSConfig = {"skip_signature": source.anonymous}
    if source.endpoint is not None:
        config["base_url"] = source.endpoint
    secrets: Iterable[str] = ()
    if secret:
        secrets = _secrets(secret[_KEY])
        config["service_account_key"] = secret[_KEY]
    bucket, options = urlsplit(source.uri).netloc, client_options(source)
    return GCSStore(bucket, config=config, client_options=options, retry_config=retries), secrets


def _secrets(key: str) -> list[str]:
    """Return what must not be repeated of a service account's key."""
    try:
        private = json.loads(key)["private_key"]
    except (ValueError, TypeError, KeyError):
        raise ModelError(
            f"{FIELD}: key {_KEY} is not the JSON of a service account's key; write the whole file, as Google gave it"
        ) from None
    return [key, str(private), *str(private).splitlines()]
