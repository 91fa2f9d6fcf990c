"""JSON that a client wrote, read with a bound on how deep it is nested.

Without one, code that reads the parsed value would run out of stack at an arbitrary depth.
"""

import json
from typing import Final

from viridian_serving.http1.problems import Problem

MOST_LEVELS: Final = 64
"""Lists and objects in one another. A tensor has a few."""


def parse(body: bytes) -> object:
    """Read a body.

    NaN and Infinity are taken, which JSON does not have: the field that holds one can then be named, instead of a byte
    offset.

    Args:
        body: What should be JSON in UTF-8.

    Returns:
        What it says.

    Raises:
        Problem: Status 400: it is not JSON, or is nested too deeply.
    """
    try:
        # Decoded here: of bytes it would also take UTF-16, UTF-32 and a byte order mark, which nobody after it reads.
        document = json.loads(body.decode())
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError:
        raise Problem(400, "invalid-json", "The body is not UTF-8.") from None
    except ValueError as error:
        raise Problem(400, "invalid-json", f"The body is not JSON: {error}.") from None
    if is_deep(document):
        raise too_deep()
    return document


def is_deep(document: object) -> bool:
    """Whether a document has more levels than may be."""
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(MOST_LEVELS):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def too_deep() -> Problem:
    """Make the problem of a body that is nested too deeply."""
    return Problem(
        400, "invalid-json", f"The body is nested more than {MOST_LEVELS} levels deep; no input of a model needs that."
    )
