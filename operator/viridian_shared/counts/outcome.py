"""How a request ended: a label of what a pod counts."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended, as its client saw it."""

    OK = "ok"
    REJECTED = "rejected"
    ERROR = "error"
    CACHED = "cached"
    """Answered without the model: it tells that the request came, and nothing about the model."""
    UNJUDGED = "unjudged"
    """Failed, and not for this model's sake as far as can be told: stable failed on the same input, Triton ended under
    somebody's request, or the pod had no room for what clients sent."""
