"""What every answer carries, and what a client gets when there is none."""

import logging
import random
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from viridian_serving.http1.messages import Headers, Request, Response
from viridian_serving.http1.problems import CONTENT_TYPE, Problem
from viridian_serving.settings.config import Settings

LOG = logging.getLogger("viridian.api")

_T = TypeVar("_T")

_MAX_REQUEST_ID: Final = 128
_IDS: Final = random.Random()  # noqa: S311  they are to differ, not to be secret; the system seeds it
_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""W3C Trace Context; what a later version adds comes behind."""


def identity_headers(settings: Settings) -> Headers:
    """Give the headers that every answer carries: what answered it."""
    return (
        (b"Viridian-Revision", settings.revision.encode()),
        (b"Viridian-Version", settings.model_version.encode()),
    )


def request_id_of(request: Request) -> str:
    """Give the id by which a request is found again: its client's, that of the trace it is part of, or a new one."""
    given = request.headers.get(b"x-request-id", b"")
    # What goes into a header, a log line and JSON must be harmless there.
    if given and len(given) <= _MAX_REQUEST_ID and given.isascii() and given.decode("ascii").isprintable():
        return given.decode("ascii")
    if b"traceparent" in request.headers:
        trace = _TRACEPARENT.fullmatch(request.headers[b"traceparent"].strip())
        if trace is not None and trace[1].strip(b"0"):
            return trace[1].decode("ascii")
    return _IDS.randbytes(16).hex()


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
        return Response(
            response.status,
            response.body,
            response.content_type,
            (*response.headers, *common),
            response.problem,
            response.cached,
            response.cause,
        )
    headers = (*problem.headers, *common)
    body = problem.body(request_id)
    return Response(problem.status, body, CONTENT_TYPE, headers, problem.kind, cause=problem.cause)
