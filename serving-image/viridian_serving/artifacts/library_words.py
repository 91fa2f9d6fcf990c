"""What a library says when it fails, without what only its own authors can read."""

import re
from typing import Final

_STACK: Final = re.compile(
    r"\s*(Stack trace:|Traceback \(most recent call last\):|\[bt\] \(|C\+\+ exception with).*", re.S
)
_PLACE: Final = re.compile(
    r"(\[\d\d:\d\d:\d\d\] )?(?<!\w)/?[\w./+-]+\.(cc|cpp|cxx|cu|h|hpp):\d+:?( ?\w[\w:~<> ]*\([^()]*\)( const)?)?:?\s*"
)
"""A line of C++, with the function that it is in."""
_POINTER: Final = re.compile(r"\s*[~^]{3,}|\s*:\s*$")
"""What points at a place in a line above it, and the colon before a stack."""
_NODE: Final = re.compile(r".*status code returned while (running \w+ node)\. Name:'([^']*)'\s+Status Message:", re.S)
"""How ONNX Runtime names the node of the model that failed."""
_STATUS: Final = re.compile(r".*(\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |Status Message: )", re.S)
"""What ONNX Runtime says before it says what is wrong."""


def words_of(error: BaseException | str, most: int = 240) -> str:
    """Return what a library says, in one line.

    Args:
        error: What it raised, or its text.
        most: Characters.
    """
    text = _NODE.sub(_node, str(error))
    for noise in (_STACK, _STATUS, _PLACE, _POINTER):
        text = noise.sub("", text)
    line = " ".join(text.split()) or (error if isinstance(error, str) else type(error).__name__)
    return line if len(line) <= most else f"{line[:most]} …"


def _node(found: re.Match[str]) -> str:
    name = f" {found[2]!r}" if found[2] else ""
    return f"{found[1]}{name}: "
