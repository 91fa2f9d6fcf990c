"""What the pod learns about one request for predictions while it is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from viridian_serving.http_server import Request
from viridian_serving.metrics import Outcome, Via
from viridian_serving.wire import Encoded


@dataclass(slots=True, eq=False)
class Seen:
    """Filled in on the way of a request; whoever observes reads it once the request is over."""

    via: Via = Via.DIRECT
    request: Request | None = None
    request_id: str = ""
    time_ns: int = 0
    """When it came: nanoseconds since the epoch."""
    many: bool = False
    """Whether the body is a list of instances."""
    instances: Sequence[Encoded] = ()
    """What the model was given; empty until the body was found to be valid."""
    predictions: Sequence[dict[str, Any]] = ()
    """What it answered, one for each instance; empty when it did not."""
    outcome: Outcome | None = None
    """How it ended as far as this pod's model goes; None until that is known."""
    answered_by: str | None = None
    """Who answered the client: ``model``, ``stable``, or ``pod`` for a problem document; None when it had left."""
    seconds: float = 0.0
    """From the whole request read to the client's answer."""
    unfinished: int = 2
    """The client's answer and the model's outcome: it is over when both are known, in whichever order."""
