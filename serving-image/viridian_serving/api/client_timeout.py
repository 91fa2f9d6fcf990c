"""How long a client waits for its answer, where it says so."""

from typing import Final

from viridian_serving.http1.messages import Request
from viridian_serving.http1.problems import Problem

TIMEOUT_MS: Final = b"viridian-timeout-ms"
"""Header of a request: milliseconds for which its client waits. What serving.timeout allows is the most."""
_MOST_DIGITS: Final = 9


def client_timeout(request: Request) -> float | None:
    """Return for how many seconds the client waits; None when it does not say, or not as it should."""
    given = request.headers.get(TIMEOUT_MS, b"")
    return int(given) / 1000 or None if given.isdigit() and len(given) <= _MOST_DIGITS else None


def fault_of(request: Request) -> Problem | None:
    """Return what is wrong with what the client says, if anything is."""
    if TIMEOUT_MS not in request.headers or client_timeout(request) is not None:
        return None
    return Problem(
        400,
        "invalid-timeout",
        "The header Viridian-Timeout-Ms must be a whole number of milliseconds from 1 to 999999999; leave it out to "
        "wait as long as the model may take.",
    )
