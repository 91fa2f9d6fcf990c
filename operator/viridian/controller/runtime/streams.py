"""Kopf's watch streams, made to survive what the API server says in them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from kopf._cogs.clients import watching

from viridian.kube.resources import MODEL_DEPLOYMENT

LOG = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds before a watch that ended with an error begins again."""
_GONE = 410

Stream = Callable[..., AsyncIterator[dict[str, Any]]]


def forgive_watch_errors(restarted: Callable[[str], None] = lambda _plural: None) -> None:
    """Let an ERROR in a watch end that watch, not the operator.

    Kopf takes any but 410 (which makes it list anew) for fatal. But an API server says 500 or 504 there when etcd
    elects a leader, and 429 when it is busy (https://github.com/nolar/kopf/issues/962). A watch that ends is simply
    begun again where it was. There is no setting for it, so this replaces a function of Kopf's that is not public.

    Args:
        restarted: called for each of them, with the plural of the kind that is watched.
    """
    module: Any = watching
    if not isinstance(module.watch_objs, _Forgiving):
        module.watch_objs = _Forgiving(module.watch_objs, restarted)


class _Forgiving:
    def __init__(self, stream: Stream, restarted: Callable[[str], None]) -> None:
        self._stream, self._restarted = stream, restarted

    async def __call__(self, **arguments: Any) -> AsyncIterator[dict[str, Any]]:  # noqa: ANN401
        async for event in self._stream(**arguments):
            if event["type"] == "ERROR" and event["object"].get("code") != _GONE:
                LOG.warning("a watch ended with an error; it starts again: %s", event["object"].get("message"))
                self._restarted(MODEL_DEPLOYMENT.plural)
                await asyncio.sleep(PAUSE)
                return
            yield event
