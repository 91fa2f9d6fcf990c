"""Problems of requests that are turned away before the model is asked."""

from viridian_serving.http1.problems import Problem


def limited(wait: int) -> Problem:
    """Return the problem of a client that sends more than it may.

    Args:
        wait: Seconds until it may again.
    """
    return Problem(
        429,
        "rate-limited",
        f"This client exceeds its rate limit; send the request again in {wait} s, and send fewer.",
        headers=((b"Retry-After", b"%d" % wait),),
    )


def busy() -> Problem:
    """Return the problem of another pod's request for help, where this one has enough to do."""
    return Problem(
        503,
        "busy",
        "This pod is busy with its own requests and answers none for other pods now; try again in a second.",
        headers=((b"Retry-After", b"1"),),
    )


def too_late() -> Problem:
    """Return the problem of a client whose own time is over."""
    return Problem(
        504, "timeout", "There was no answer within Viridian-Timeout-Ms; allow more time, or send the request again."
    )
