"""How long what carries the traffic lets a request take."""

from collections.abc import Mapping

from viridian.api.revision import Revision
from viridian.controller.cache.models import Model
from viridian_shared.durations import parse_duration


def route_timeout(model: Model, revisions: Mapping[str, Revision]) -> str:
    """As long as the revisions do that share it.

    A revision's timeout is its own: what a new one wants must not cut the answers of the one that serves.
    """
    stored = [revisions[role.revision] for role in model.status.roles if role.revision in revisions]
    return max(
        (revision.input.serving.timeout for revision in stored),
        key=parse_duration,
        default=model.spec.serving.timeout,
    )
