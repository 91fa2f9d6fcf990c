"""Sizes as people write them in manifests: `512Mi`, `2Gi`."""

import re
from typing import Final

PATTERN: Final = re.compile(r"^([1-9][0-9]{0,4})(Mi|Gi)$")


def parse_size(text: str) -> int:
    """Read a size such as `512Mi` or `2Gi`, in mebibytes.

    Raises:
        ValueError: the text is not a size; the message shows how to write one.
    """
    found = PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a size: write a whole number with Mi or Gi, such as 512Mi or 2Gi")
    return int(found[1]) * (1024 if found[2] == "Gi" else 1)
