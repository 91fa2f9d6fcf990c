"""What somebody reads when the model on their own machine is ready: where it is, what it takes, and how to ask it."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from viridian_serving.codec.tensors import DYNAMIC

_LONGEST: Final = 1000
"""Characters of a request that is still pasted gladly."""
_SHOWN: Final = 12
"""Features that fit a screen with all the rest."""

NO_EXAMPLE: Final = "The model answered no made-up request. Put one that is into sample.json beside the model."


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


def request(instance: Mapping[str, Any]) -> Example:
    """Take an instance as a request.

    Args:
        instance: As a client sends it.

    Returns:
        The request; one that is too long to paste is made by Python when it is sent.
    """
    text = json.dumps(instance, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return Example(text.encode(), shlex.quote(text))
    program = f"import json; print(json.dumps({_expression(instance)}))"
    return Example(text.encode(), "@-", f"python3 -c {shlex.quote(program)} | ")


def sample_command(inputs: Sequence[dict[str, Any]], file: str) -> str:
    """Write the command that makes a sample.json, for somebody who puts in sizes and values that the model takes.

    Args:
        inputs: As ``/health`` describes them.
        file: Where it goes.
    """
    instance = {each["name"]: _filled(_OF_TYPE.get(each["datatype"], 0.5), each["shape"]) for each in inputs}
    program = f"import json; json.dump({_expression(instance)}, open({file!r}, 'w'))"
    return f"python3 -c {shlex.quote(program)}"


_OF_TYPE: Final[dict[str, object]] = {"BOOL": True, "BYTES": "text"} | {
    f"{sign}INT{bits}": 1 for sign in ("", "U") for bits in (8, 16, 32, 64)
}
_USUAL: Final = 224
"""Size of an open dimension that somebody will put right."""


def _filled(element: object, shape: Sequence[int]) -> object:
    value = element
    for dim in reversed(shape):
        value = [value] * (_USUAL if dim == DYNAMIC else dim)
    return value


def _expression(value: object) -> str:
    """A value as Python writes it in the fewest words."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name!r}: {_expression(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list) and len(value) > 1 and all(each == value[0] for each in value):
        return f"[{_expression(value[0])}] * {len(value)}"
    return f"[{', '.join(map(_expression, value))}]" if isinstance(value, list) else repr(value)


def quickstart(
    health: Mapping[str, Any], features: Sequence[Mapping[str, Any]], url: str, example: Example | None
) -> str:
    """Write the text.

    Args:
        health: What ``/health`` says.
        features: What clients send, as ``/schema`` lists them.
        url: Of the API.
        example: A request that was answered; None when there is none.

    Returns:
        Lines for a terminal.
    """
    lines = [
        "",
        f"Model {health['model']}, version {health['version']}, is ready at {url}",
        "",
        *_listed("takes", _taken(health["inputs"], features, url)),
        *_listed("gives", list(map(_tensor, health["outputs"]))),
        f"  docs   {url}/docs",
        "",
        *(["Ask it:", f"  {example.command(url)}"] if example else [NO_EXAMPLE]),
        "",
        "Ctrl-C ends it.",
        "",
    ]
    return "\n".join(lines)


def _taken(inputs: Sequence[Mapping[str, Any]], features: Sequence[Mapping[str, Any]], url: str) -> list[str]:
    """What clients send: the features of a schema.yaml, where that makes the model's inputs of them."""
    if {each["name"] for each in features} == {each["name"] for each in inputs}:
        return list(map(_tensor, inputs))
    shown = [f"{_printable(each['name'])}  {each['type']}{_shape(each['shape'])}" for each in features[:_SHOWN]]
    return [*shown, f"… and {len(features) - _SHOWN} more, see {url}/schema"] if len(features) > _SHOWN else shown


def _tensor(tensor: Mapping[str, Any]) -> str:
    return f"{_printable(tensor['name'])}  {tensor['datatype']}{_shape(tensor['shape']) or '  []'}"


def _shape(dims: Sequence[int]) -> str:
    return f"  [{', '.join('any' if dim == DYNAMIC else str(dim) for dim in dims)}]" if dims else ""


def _listed(verb: str, lines: Sequence[str]) -> list[str]:
    return [f"  {verb if position == 0 else '':6} {line}" for position, line in enumerate(lines)]


def _printable(name: str) -> str:
    return name if name.isprintable() else json.dumps(name, ensure_ascii=False)
