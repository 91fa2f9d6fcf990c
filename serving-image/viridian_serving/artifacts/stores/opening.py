"""Which store an address belongs to."""

from collections.abc import Callable
from importlib import import_module
from typing import Final
from urllib.parse import urlsplit

from viridian_serving.artifacts.stores.source import Source
from viridian_serving.artifacts.stores.store import Store

_MODULES: Final = {"s3": "s3", "gs": "gcs", "az": "azure", "hf": "hugging_face", "mlflow": "mlflow", "oci": "oci"}


def open_store(source: Source) -> Store:
    """Open the store of ``source.uri``.

    Only now is its client library imported: no other container pays for that, nor a pod whose model is elsewhere.

    Raises:
        ModelError: The address, the Secret or other settings of the store cannot be used.
    """
    module = import_module(f"viridian_serving.artifacts.stores.{_MODULES[urlsplit(source.uri).scheme]}")
    opening: Callable[[Source], Store] = module.open_store
    return opening(source)
