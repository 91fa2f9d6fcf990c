"""How large a request may be, where nobody has said it: as large as one instance of this model needs."""

from math import prod
from typing import Final

from viridian_serving.codec.features import RequestSchema
from viridian_serving.codec.tensors import DYNAMIC
from viridian_serving.settings.config import Settings

_BYTES_OF_ELEMENT: Final = 26
"""Of a number with all of its digits in JSON, with comma and blank."""
_REST: Final = 64 * 1024
_MOST: Final = 256 * 1024 * 1024


def body_limit(settings: Settings, requests: RequestSchema) -> int:
    """Give the size of the largest body that is taken.

    Args:
        settings: Of this pod.
        requests: What an instance is.

    Returns:
        Bytes: what is set, or else the default, or more if an instance of the model is larger as JSON.
    """
    if "max_body" in settings.model_fields_set:
        return settings.max_body
    elements = sum(prod(1 if size == DYNAMIC else size for size in each.dims) for each in requests.features)
    return max(settings.max_body, min(_MOST, _BYTES_OF_ELEMENT * elements + _REST))
