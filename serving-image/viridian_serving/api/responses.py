"""What every answer carries, and what a client gets when there is none."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from viridian_serving.http1.messages import Headers, Response
from viridian_serving.http1.problems import CONTENT_TYPE, Problem
from viridian_serving.settings.config import Settings

LOG = logging.getLogger("viridian.api")

_T = TypeVar("_T")


def identity_headers(settings: Settings) -> Headers:
    """Return the headers that every answer carries: what answered it."""
    return (
        (b"Viridian-Revision", settings.revision.encode()),
        (b"Viridian-Version", settings.model_version.encode()),
    )


async def complete(
    answer: Callable[[_T], Awaitable[Response]], asked: _T, request_id: str, identity: Headers
) -> Response:
    """Answer, and put on the answer what every answer carries; turn what is raised into a problem document.

    Args:
        answer: Raises a Problem when there is none.
        asked: What it is given.
        request_id: The request's.
        identity: The headers that say what this pod is.

    Returns:
        What the client gets.
    """
    common = ((b"X-Request-Id", request_id.encode()), *identity)
    try:
        response = await answer(asked)
    except Problem as given:
        problem = given
    except Exception as error:
        LOG.exception("request %s crashed", request_id)
        cause = type(error).__name__
        problem = Problem(500, "internal", "The server failed; its log says why, by request_id.", cause=cause)
    else:
        return response.with_headers(common)
    headers = (*problem.headers, *common)
    body = problem.body(request_id)
    return Response(problem.status, body, CONTENT_TYPE, headers, problem.kind, cause=problem.cause)
