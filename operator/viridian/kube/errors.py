"""What can go wrong at the Kubernetes API, by what the caller can do about it."""


class KubeError(Exception):
    """The API answered with an error; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Conflict(KubeError):
    """Somebody else wrote first (409): read again."""


class Refused(KubeError):
    """The API understood and will not do it (400, 403, 422): the message says why."""


class Expired(KubeError):
    """What a list or a watch wants to go on from is forgotten (410): begin it anew."""


class Unavailable(KubeError):
    """No answer, or a passing trouble (429, 5xx, timeouts): try again later.

    `retry_after` is the pause in seconds that the API asked for; `unsent` says that the request certainly was not
    carried out, so that even a write may be sent again.
    """

    def __init__(self, status: int, message: str, *, retry_after: float | None = None, unsent: bool = False) -> None:
        super().__init__(status, message)
        self.retry_after, self.unsent = retry_after, unsent or status == 429


class NotLeading(KubeError):
    """Another operator leads, or may by now: the write was not sent."""

    def __init__(self, what: str) -> None:
        super().__init__(0, f"{what} was not sent: this operator does not hold the lease (any more)")


def error_for(status: int, message: str, retry_after: float | None = None) -> KubeError:
    """The named error for an HTTP status."""
    if status == 409:
        return Conflict(status, message)
    if status == 410:
        return Expired(status, message)
    if status in {400, 401, 403, 422}:
        return Refused(status, message)
    if status == 429 or status >= 500:
        return Unavailable(status, message, retry_after=retry_after)
    return KubeError(status, message)
