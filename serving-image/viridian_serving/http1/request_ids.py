"""The id by which a request is found again, in its answer and in the logs."""

import random
import re
from collections.abc import Mapping
from typing import Final

_MAX_REQUEST_ID: Final = 128
_IDS: Final = random.Random()  # noqa: S311  they are to differ, not to be secret; the system seeds it
_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""W3C Trace Context; what a later version adds comes behind."""


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the id by which a request is found again: its client's, that of the trace it is part of, or a new one.

    Args:
        headers: Of the request; names in lower case.
    """
    given = headers.get(b"x-request-id", b"")
    # What goes into a header, a log line and JSON must be harmless there.
    if given and len(given) <= _MAX_REQUEST_ID and given.isascii() and given.decode("ascii").isprintable():
        return given.decode("ascii")
    if b"traceparent" in headers:
        trace = _TRACEPARENT.fullmatch(headers[b"traceparent"].strip())
        if trace is not None and trace[1].strip(b"0"):
            return trace[1].decode("ascii")
    return _IDS.randbytes(16).hex()
