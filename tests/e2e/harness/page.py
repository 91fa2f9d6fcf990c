"""The blocks of code of a page of the documentation."""

import re
from dataclasses import dataclass

_PART = re.compile(
    r"^## (?P<heading>[^\n]+)$|^```(?P<language>sh|python)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A block of code that a reader runs, and the heading that it is under."""

    heading: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of shell commands and of Python in a page, in order; those of consoles and of YAML are only shown."""
    found, heading = [], ""
    for part in _PART.finditer(page):
        heading = part["heading"] or heading
        if part["language"]:
            found.append(Block(heading, part["language"], part["text"]))
    return found
