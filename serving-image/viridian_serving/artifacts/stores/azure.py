"""``az://ACCOUNT/CONTAINER/KEY``: Azure Blob Storage."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from obstore.store import AzureStore

from viridian_serving.artifacts.stores.objects import RETRIES, Objects, Words, client_options
from viridian_serving.artifacts.stores.secret import read_secret
from viridian_serving.artifacts.stores.source import Source

if TYPE_CHECKING:
    from obstore.store import AzureConfig, RetryConfig

_KEY, _SAS = "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"
_PRINCIPAL: Final = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
_WORDS: Final = Words(
    "Azure Blob Storage",
    f"check the Secret's {_KEY}, or {_SAS}, or {' and '.join(_PRINCIPAL)}, and what they may read, or give the pods a "
    "ServiceAccount with an identity (spec.serving.podTemplate.serviceAccountName, and the label "
    "azure.workload.identity/use), or write spec.model.store.anonymous: true for a public container",
    frozenset(),
)


def open_store(source: Source) -> Objects:
    """Open the container of ``source.uri``.

    Raises:
        ModelError: The Secret or other settings cannot be used.
    """
    key = urlsplit(source.uri).path.lstrip("/").partition("/")[2]
    return Objects(partial(connect, source), source.uri, key, _WORDS)


def connect(source: Source, retries: "RetryConfig" = RETRIES) -> tuple[AzureStore, Iterable[str]]:
    """Make a client of the container of ``source.uri``.

    Args:
        source: Where it is.
        retries: What the client tries again by itself.

    Returns:
        The client, and the secrets of the Secret, which no message repeats.

    Raises:
        ModelError: The Secret or other settings cannot be used.
        obstore.exceptions.BaseError: The credentials make no sense.
    """
    address = urlsplit(source.uri)
    container = address.path.lstrip("/").partition("/")[0]
    secret = read_secret(source.credentials_dir, (_KEY,), (_SAS,), _PRINCIPAL)
    config: AzureConfig = {"account_name": address.netloc, "skip_signature": source.anonymous}
    if source.endpoint is not None:
        config["endpoint"] = source.endpoint
    if _KEY in secret:
        config["account_key"] = secret[_KEY]
    elif _SAS in secret:
        config["sas_key"] = secret[_SAS]
    elif secret:
        config["tenant_id"], config["client_id"], config["client_secret"] = (secret[name] for name in _PRINCIPAL)
    options = client_options(source)
    return AzureStore(container, config=config, client_options=options, retry_config=retries), secret.values()
