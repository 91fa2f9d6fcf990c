"""Reads the text format of protocol buffers, as far as it takes to look at a config.pbtxt before Triton does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<word>[\w.+-]+)|(?P<mark>[{}<>\[\]:;,])"""
)
_CLOSING: Final = {"{": "}", "<": ">"}
_DEEPEST: Final = 64


@dataclass(frozen=True)
class Field:
    """One field: a word, number or text without its quotes, or the fields of a message."""

    name: str
    value: "str | Message"
    start: int
    end: int
    """Where it stands in the text, with its name."""


Message = tuple[Field, ...]


def parse(text: str) -> Message:
    """Read a message.

    Args:
        text: In the text format.

    Returns:
        Its fields in order; each item of a list is a field.

    Raises:
        ValueError: The text is not in the format; the message names the line.
    """
    return _Reader(text).message(end="", depth=0)


def values(message: Message, name: str) -> "Iterator[str | Message]":
    """What the fields of this name hold."""
    return (field.value for field in message if field.name == name)


def scalar(message: Message, name: str) -> str:
    """What the field of this name holds if it is no message, else nothing."""
    return next((value for value in values(message, name) if isinstance(value, str)), "")


def messages(message: Message, name: str) -> list[Message]:
    """The messages in the fields of this name."""
    return [value for value in values(message, name) if not isinstance(value, str)]


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text)]
        self._next = 0

    def message(self, end: str, depth: int) -> Message:
        """The fields up to the closing mark, or to the end of the text."""
        if depth > _DEEPEST:
            raise self._error("is nested too deeply")
        fields: list[Field] = []
        while self._peek() != end:
            fields += self._field(depth)
            if self._peek() in (";", ","):
                self._next += 1
        self._next += 1
        return tuple(fields)

    def _field(self, depth: int) -> list[Field]:
        start = self._position()
        name = self._take()
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise self._error(f"has {name!r} where the name of a field must be", back=1)
        if self._peek() == ":":
            self._next += 1
        found = self._list(depth) if self._peek() == "[" else [self._value(depth)]
        end = self._tokens[self._next - 1][1]
        return [Field(name, value, start, end) for value in found]

    def _list(self, depth: int) -> "list[str | Message]":
        self._next += 1
        found: list[str | Message] = []
        while self._peek() != "]":
            found.append(self._value(depth))
            if self._peek() == ",":
                self._next += 1
        self._next += 1
        return found

    def _value(self, depth: int) -> "str | Message":
        token = self._take()
        if token in _CLOSING:
            return self.message(_CLOSING[token], depth + 1)
        if token[0] in "{}<>[]:;,":
            raise self._error(f"has {token!r} where a value must be", back=1)
        if token[0] not in "\"'":
            return token
        whole = _unquoted(token)
        while self._peek()[:1] in ('"', "'"):
            whole += _unquoted(self._take())
        return whole

    def _peek(self) -> str:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        if self._next >= len(self._tokens):
            raise self._error("ends too early")
        self._next += 1
        return self._tokens[self._next - 1][2]

    def _position(self) -> int:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else len(self._text)

    def _error(self, what: str, back: int = 0) -> ValueError:
        self._next -= back
        return ValueError(f"line {self._text.count(chr(10), 0, self._position()) + 1} {what}")


def _tokens(text: str) -> Iterator[tuple[int, int, str]]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(
                f"line {text.count(chr(10), 0, position) + 1} has {text[position]!r}, which has no meaning"
            )
        if found.lastgroup != "blank":
            yield position, found.end(), found[0]
        position = found.end()


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
