"""Lists of objects as the API server writes them.

Client objects take a hundred times as long to make, which is much for what is asked several times a second.
"""

import json
from collections.abc import Callable
from typing import Any


def listed(ask: Callable[..., Any], *arguments: str, **options: str) -> list[dict[str, Any]]:
    """The items that a method of a client lists, as plain JSON.

    Raises:
        client.ApiException: the API server refuses.
    """
    found: list[dict[str, Any]] = json.loads(ask(*arguments, **options, _preload_content=False).data)["items"]
    return found
