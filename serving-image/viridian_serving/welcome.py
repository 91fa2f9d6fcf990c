"""What somebody reads when the model on their own machine is ready: where it is, what it takes, and how to ask it."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from viridian_serving.schema import DYNAMIC

_LONGEST: Final = 1000
"""Characters of a request that is still pasted gladly."""


@dataclass(frozen=True)
class Example:
    """A request to ``/predict``."""

    body: bytes
    source: str
    """A word of the shell that says how to make it, for ``curl --data``; and what to pipe into that."""
    pipe: str = ""

    def command(self, url: str) -> str:
        """Write the command that sends it.

        Args:
            url: Of the API.
        """
        return f"{self.pipe}curl -s {url}/predict -d {self.source}"


def sample(body: bytes, file: str) -> Example:
    """Take the request that lies beside the model.

    Args:
        body: What the file holds.
        file: Its path.
    """
    text = body.decode("utf-8", "replace").strip()
    return Example(body, shlex.quote(text) if len(text) <= _LONGEST else shlex.quote(f"@{file}"))


def made_up(inputs: Sequence[dict[str, Any]]) -> Iterator[Example]:
    """Make requests that fit the inputs: all zeros, then all ones, since some models divide by their input.

    Args:
        inputs: As ``/health`` describes them.

    Yields:
        Requests; one that is too long to paste is made by Python when it is sent.
    """
    of_type: dict[str, object]
    for number, of_type in ((0, {"BOOL": False, "BYTES": ""}), (1, {"BOOL": True, "BYTES": "1"})):
        instance = {
            tensor["name"]: _filled(of_type.get(tensor["datatype"], number), tensor["shape"]) for tensor in inputs
        }
        text = json.dumps(instance, ensure_ascii=False)
        if len(text) <= _LONGEST:
            yield Example(text.encode(), shlex.quote(text))
            continue
        members = (
            f"{tensor['name']!r}: {_expression(of_type.get(tensor['datatype'], number), tensor['shape'])}"
            for tensor in inputs
        )
        program = f"import json; print(json.dumps({{{', '.join(members)}}}))"
        yield Example(text.encode(), "@-", f"python3 -c {shlex.quote(program)} | ")


def _filled(element: object, shape: Sequence[int]) -> object:
    value = element
    for dim in reversed(shape):
        value = [value] * (1 if dim == DYNAMIC else dim)
    return value


def _expression(element: object, shape: Sequence[int]) -> str:
    """As ``_filled``, but as Python writes it in the fewest words."""
    text = repr(element)
    for dim in reversed(shape):
        text = f"[{text}]" if dim in (1, DYNAMIC) else f"[{text}] * {dim}"
    return text


def welcome(health: dict[str, Any], url: str, example: Example | None) -> str:
    """Write the text.

    Args:
        health: What ``/health`` says.
        url: Of the API.
        example: A request that was answered; None when there is none.

    Returns:
        Lines for a terminal.
    """
    lines = [
        "",
        f"Model {health['model']}, version {health['version']}, is ready at {url}",
        "",
        *_tensors("takes", health["inputs"]),
        *_tensors("gives", health["outputs"]),
        f"  docs   {url}/docs",
        "",
        "Ask it:" if example else "No made-up request was answered; put one that is into sample.json beside the model.",
        *([f"  {example.command(url)}"] if example else []),
        "",
        "Ctrl-C ends it.",
        "",
    ]
    return "\n".join(lines)


def _tensors(verb: str, tensors: Sequence[dict[str, Any]]) -> list[str]:
    described = [
        f"{tensor['name']}  {tensor['datatype']}  "
        + str(["any" if dim == DYNAMIC else dim for dim in tensor["shape"]]).replace("'", "")
        for tensor in tensors
    ]
    return [f"  {verb if position == 0 else '':6} {text}" for position, text in enumerate(described)]
