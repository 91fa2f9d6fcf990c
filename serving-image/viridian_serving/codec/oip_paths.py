"""Paths of the Open Inference Protocol: which of them pass to Triton, and which are inferences.

A path is matched as it was sent, before any decoding: what is not exactly one of these never reaches Triton. Its
repository, shared memory, trace and log settings are not for clients.
"""

import re
from typing import Final

from viridian_serving.http1.messages import Request
from viridian_serving.http1.problems import Problem

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_MODEL = rf"/v2/models/{_NAME}(?:/versions/[0-9]+)?"
_READS: Final = re.compile(rf"/v2/?|/v2/health/(?:live|ready)|/v2/models/stats|{_MODEL}(?:/(?:ready|config|stats))?")
_INFER: Final = re.compile(rf"{_MODEL}/infer")


def is_inference(request: Request) -> bool:
    """Whether this is an inference, which counts."""
    return request.method == b"POST" and _INFER.fullmatch(request.path.decode("latin-1")) is not None


def is_allowed(request: Request) -> bool:
    """Whether this may pass to Triton."""
    if is_inference(request):
        return True
    return request.method in (b"GET", b"HEAD") and _READS.fullmatch(request.path.decode("latin-1")) is not None


def model_of(request: Request) -> str:
    """Return the model that an inference is for."""
    return request.path.decode("latin-1").split("/")[3]


def no_model(name: str) -> Problem:
    """Return the problem of a request for another model."""
    return Problem(404, "not-found", f"There is no model {name!r} in this pod.")
