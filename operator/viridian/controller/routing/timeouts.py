"""How long what carries the traffic lets a request take."""

from collections.abc import Mapping

from viridian.api.revision import Revision
from viridian.controller.cache.models import Model
from viridian_shared.durations import parse_duration


def route_timeout(model: Model, revisions: Mapping[str, Revision]) -> str:
    """As long as stable and the candidate do, for it carries both.

    A revision's timeout is its own: what a new one wants must not cut the answers of the one that serves.
    """
    roles = (model.status.stable, model.status.candidate)
    stored = [revisions[role.revision] for role in roles if role is not None and role.revision in revisions]
    return max(
        (revision.input.serving.timeout for revision in stored),
        key=parse_duration,
        default=model.spec.serving.timeout,
    )
