"""What the pod learns about one request for predictions while it is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from viridian_serving.codec.oip import Encoded
from viridian_serving.http1.messages import Request, Response
from viridian_serving.inference.batcher import Demand
from viridian_serving.inference.witness import Witness
from viridian_shared.counts.outcome import Outcome
from viridian_shared.counts.via import Via

if TYPE_CHECKING:
    from opentelemetry.trace import Span  # imported by who wants traces


@dataclass(frozen=True, slots=True)
class Failure:
    """What a request failed with."""

    type: str
    """Of its problem document (RFC 9457), without the prefix of ours."""
    status: int | None
    """Of the answer; None when there was none."""
    cause: str = ""
    """Why, in the model's words, which may hold what a client sent; empty when they say no more than the type."""


class RequestContext:
    """Filled in on the way of a request; whoever observes reads it once the request is over."""

    __slots__ = (
        "answered",
        "answered_by",
        "asked",
        "client",
        "deadline",
        "demand",
        "failure",
        "instances",
        "key",
        "many",
        "outcome",
        "passed",
        "passed_instances",
        "predictions",
        "queued",
        "request",
        "request_id",
        "seconds",
        "span",
        "status",
        "time_ns",
        "trace_id",
        "unfinished",
        "via",
        "witness",
    )

    def __init__(self, request: Request, request_id: str, via: Via, deadline: float, time_ns: int = 0) -> None:
        self.request = request
        self.request_id = request_id
        self.via = via
        self.deadline = deadline
        """By when it has to be answered, on the event loop's clock, in seconds."""
        self.time_ns = time_ns
        """When it came: nanoseconds since the epoch."""
        self.demand = Demand()
        """Whether somebody still waits for it, and when it was sent to Triton."""
        self.queued = 0.0
        """When its instances were queued, by `time.perf_counter`; 0 if they never were."""
        self.answered = 0.0
        """When the model had answered or failed, by the same clock."""
        self.client = ""
        """Who asks, by their API key; empty where the model asks for none."""
        self.many = False
        """Whether the body is a list of instances."""
        self.instances: Sequence[Encoded] = ()
        """What the model was given; empty until the body was found to be valid."""
        self.asked: Sequence[bytes | memoryview] | None = None
        """The bytes of what a request of the inference protocol asked, once it was found to be valid."""
        self.key = b""
        """By which an answer to the same input is found; empty where none is kept."""
        self.predictions: Sequence[dict[str, Any]] = ()
        """What it answered, one for each instance; empty when it did not."""
        self.passed: Response | None = None
        """What Triton answered to a request of the inference protocol, as it came."""
        self.passed_instances = 0
        """How many instances such a request is about, once it was found to be valid."""
        self.outcome: Outcome | None = None
        """How it ended as far as this pod's model goes; None until that is known."""
        self.failure: Failure | None = None
        """What it failed with, if it did, as far as this pod's model goes."""
        self.status = 0
        """Of the client's answer; 0 when there was none."""
        self.answered_by: str | None = None
        """Who answered the client: ``model``, ``cache``, ``stable``, or ``pod`` for a problem document; None when
        it had left."""
        self.seconds = 0.0
        """From the whole request read to the client's answer."""
        self.trace_id: str | None = None
        self.span: Span | None = None
        self.witness: Witness | None = None
        """Stable's word on it, where stable may be asked."""
        self.unfinished = 2
        """The client's answer and the model's outcome: it is over when both are known, in whichever order."""

    @property
    def answered_instances(self) -> int:
        """How many instances the client got predictions of, from this pod.

        What stable answered in its place is not among them: stable's pod counts that.
        """
        if self.answered_by not in ("model", "cache"):
            return 0
        if self.passed is not None:
            return self.passed_instances if self.passed.status == HTTPStatus.OK else 0
        return len(self.predictions)
