"""The part of the Open Inference Protocol that passes to Triton, so that its clients work unchanged."""

from typing import Final

from viridian_serving.codec.oip import HEADER_LENGTH, error_message, has_lost_process
from viridian_serving.codec.oip_request import InferRequest
from viridian_serving.http1.client import HttpClient, PeerLostError, PeerUnreachableError
from viridian_serving.http1.messages import Request, Response
from viridian_serving.http1.problems import Problem
from viridian_serving.inference.deaths import DIED, GIVEN_UP, unreachable

_REQUEST_HEADERS: Final = (
    b"accept-encoding",
    b"triton-request-id",
)
_RESPONSE_HEADERS: Final = (
    (b"inference-header-content-length", b"Inference-Header-Content-Length"),
    (b"content-encoding", b"Content-Encoding"),
)

QUEUE_FULL: Final = "maximum queue size"
"""What Triton says when it turns a request away for its load."""


async def forward(
    triton: HttpClient, request: Request, deadline: float, inference: InferRequest | None = None
) -> Response:
    """Pass a request to Triton and its answer back.

    Args:
        triton: The way to Triton.
        request: One for which is_allowed() said yes.
        deadline: On the event loop's clock, in seconds.
        inference: What is asked, checked; None when something is only read.

    Returns:
        Triton's answer.

    Raises:
        Problem: Triton gave none.
    """
    given = request.headers
    headers: list[tuple[bytes, bytes]] = [(name, given[name]) for name in _REQUEST_HEADERS if name in given]
    if inference is not None:
        headers.append((b"content-type", b"application/octet-stream"))
        headers.append((HEADER_LENGTH, b"%d" % inference.header_length))
    method, body = ("GET", []) if inference is None else ("POST", inference.body)
    try:
        reply = await triton.call(method, request.path.decode("latin-1"), headers, body, deadline=deadline)
    except PeerLostError:
        raise died() from None
    except PeerUnreachableError:
        raise unreachable() from None
    except TimeoutError:
        raise Problem(504, "timeout", "The model did not answer in time; send the request again.") from None
    passed = tuple((shown, reply.headers[name]) for name, shown in _RESPONSE_HEADERS if name in reply.headers)
    content_type = reply.headers.get(b"content-type", b"application/json")
    status = reply.status
    problem = "queue-full" if status == 503 and QUEUE_FULL.encode() in reply.body else ""
    told = status >= 500 and b"content-encoding" not in reply.headers
    cause = error_message(reply.body) if told else ""
    if has_lost_process(cause):
        raise died(GIVEN_UP)
    return Response(status, reply.body, content_type, passed, problem, cause=cause)


def died(kind: str = DIED) -> Problem:
    """Make the problem of a request under which the model's process ended.

    Args:
        kind: Whether Triton ended with it, or goes on without it.
    """
    return Problem(500, kind, "The model's process ended while it worked on this; it is not tried again.")
