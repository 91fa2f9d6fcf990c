"""JSON that a client wrote, read with a bound on how deep it is nested.

Without one, code that reads the parsed value would run out of stack at an arbitrary depth.
"""

import json
from typing import Final

from viridian_serving.http1.problems import Problem

MOST_LEVELS: Final = 64
"""Lists and objects in one another. A tensor has a few."""
_SHOWN: Final = 100
"""Characters of a name that are said."""


def parse(body: bytes) -> object:
    """Read a body.

    A member that an object has twice is refused: which of the two is meant, nobody but the client knows.

    NaN and Infinity are taken, which JSON does not have: the field that holds one can then be named, instead of a byte
    offset.

    Args:
        body: What should be JSON in UTF-8.

    Returns:
        What it says.

    Raises:
        Problem: Status 400: it is not JSON, is nested too deeply, or repeats a member.
    """
    try:
        # Decoded here: of bytes it would also take UTF-16, UTF-32 and a byte order mark, which nobody after it reads.
        document = json.loads(body.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError:
        raise Problem(400, "invalid-json", "The body is not UTF-8.") from None
    except ValueError as error:
        raise Problem(400, "invalid-json", f"The body is not JSON: {error}.") from None
    if is_deep(document):
        raise too_deep()
    return document


def repeats_member(body: bytes) -> bool:
    """Whether an object in a body has a member twice; the body is JSON."""
    try:
        parse(body)
    except Problem:
        return True
    return False


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its members."""
    document: dict[str, object] = {}
    for name, value in members:
        if name in document:
            shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
            raise Problem(400, "invalid-json", f"The body has the member {shown!r} twice in one object; send it once.")
        document[name] = value
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
