"""What the runbooks say to run: whole scripts, and commands within sentences."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"
PAGES = sorted(FOLDER.glob("*.md"))
BY_HAND = FOLDER / "go-back-by-hand.md"
"""The one that changes weights; it has separate tests."""
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(kubectl [^`]+)`")
_EXAMPLE = re.compile(r"NAMESPACE=ml MODEL=iris")


@dataclass(frozen=True)
class Target:
    """What the examples' names stand for in a test."""

    namespace: str
    model: str
    pod: str = "POD"
    node: str = "NODE"
    prometheus: str = "http://127.0.0.1:9090"
    claim: str = "models"

    def script(self, text: str) -> str:
        """A script of a runbook for this model, or a sentence's command after the variables that it needs."""
        named = f"NAMESPACE={self.namespace} MODEL={self.model}"
        text = _EXAMPLE.sub(named, text)
        text = text.replace("NAMESPACE=ml CLAIM=models", f"NAMESPACE={self.namespace} CLAIM={self.claim}")
        text = re.sub(r"^PROMETHEUS=\S+", f"PROMETHEUS={self.prometheus}", text, flags=re.MULTILINE)
        text = re.sub(r"\bPOD\b", self.pod, re.sub(r"\bNODE\b", self.node, text))
        return text if named in text else f"{named}\n{text}"


def blocks(page: Path) -> list[str]:
    """Scripts of a page, without the indentation of the list that they are in."""
    return [dedent(block) for block in _BLOCK.findall(page.read_text())]


def inline(pages: Iterable[Path] = PAGES) -> list[str]:
    """Commands within sentences, each once."""
    return sorted({command for page in pages for command in _INLINE.findall(page.read_text())})
