"""Requests for predictions of which something is known already."""

from typing import Any

from viridian_serving.http1.messages import Request
from viridian_serving.inference.request_context import RequestContext
from viridian_shared.counts.via import Via


def context_of(request: Request, request_id: str, via: Via, deadline: float = 0.0, **known: Any) -> RequestContext:
    """A context in which some attributes are not as at the beginning."""
    context = RequestContext(request, request_id, via, deadline)
    for name, value in known.items():
        setattr(context, name, value)
    return context
