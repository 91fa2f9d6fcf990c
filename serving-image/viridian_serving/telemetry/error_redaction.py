"""The model's own words about a failure, as far as everybody may read them: in metrics, a resource's status, Events.

Such words quote what they are about. So whatever is quoted is cut, each word with a digit, and each word that has to do
with what the request held; where a feature is sensitive, only the kind of the error is left. What no rule can know is
a word that the model itself looked up elsewhere.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

LONGEST: Final = 200
"""Characters of a sentence."""
_LONGEST_READ: Final = 2000
"""Characters of the model's words that are looked at."""
_MOST_BYTES: Final = 64 * 1024
"""Of a request's content. For a larger one, only the kind of the error is recorded."""
_LONGEST_WORD: Final = 40
_SHORTEST_PART: Final = 3
"""Letters of a part of a word that may give the whole of it away."""
_FEW: Final = 200
"""Words of which each may be looked for; among more, each part of a word is."""
_CUT: Final = "…"

_PREFIX: Final = re.compile(r"Failed to process the request\(s\) for model '[^']*', message: ")
"""What Triton's python backend says before an exception."""
_TRACE: Final = re.compile(r"\s+At:\s+\S+\(\d+\): .*", re.DOTALL)
"""And after it."""
_PIECES: Final = re.compile(
    r"""(?<!\w)[bru]{0,2}(?P<quote>['"`])(?P<inside>(?:\\.|(?!(?P=quote)).)*)(?P=quote)
      | (?<!\w)[bru]{0,2}(?P<open>['"`].*)
      | (?P<word>\w+)
      | (?P<between>\s+|.)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
"""A quotation, one without an end, a word, or what is between words."""
_WORD: Final = re.compile(r"[A-Za-z_]+")
_KIND: Final = re.compile(r"\b[A-Za-z_]*(?:Error|Exception)\b")
_GAPS: Final = re.compile(rf"{_CUT}(?:[\W_]*{_CUT})+")
_LOOSE_END: Final = re.compile(rf"[\s:;,=(\[{{<{_CUT}-]+$")
_LITERALS: Final = {True: ("true",), False: ("false",), None: ("none", "null", "nan")}
_TYPES: Final = frozenset({"bool", "bytes", "dict", "float", "int", "list", "NoneType", "str", "tuple"})
"""Python's, which its own errors quote."""
_OF_THE_PROTOCOL: Final = frozenset({"name", "datatype", "shape"})
"""Members of a tensor that hold nothing of a client's."""


class Held:
    """What the requests held that failed with the same words."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Take it in.

        Args:
            texts: Every text in them.
        """
        self._text = "\n".join(texts).casefold()
        self._words = frozenset(re.findall(r"\w+", self._text))
        self._telling = frozenset(word for word in self._words if len(word) >= _SHORTEST_PART)

    def gives_away(self, word: str) -> bool:
        """Whether a word has to do with it: stands in it, or is made of a word in it."""
        word = word.casefold()
        if word in self._words:
            return True
        if len(word) < _SHORTEST_PART:
            return False
        return word in self._text or self._is_part_of(word)

    def _is_part_of(self, word: str) -> bool:
        if len(self._telling) < _FEW:
            return any(part in word for part in self._telling)
        return not self._telling.isdisjoint(_parts(word))


def _parts(word: str) -> Iterator[str]:
    for start in range(len(word)):
        for end in range(start + _SHORTEST_PART, len(word) + 1):
            yield word[start:end]


def texts_of(body: bytes, header_length: int | None = None, *, protocol: bool = False) -> list[str] | None:
    """Return every text in a request.

    Args:
        body: The request's.
        header_length: Bytes of JSON at its beginning, where binary tensors follow.
        protocol: Whether it is one of the inference protocol; else it holds instances, whose members have the names of
            features.

    Returns:
        The texts, or None when it is too large to be looked at.
    """
    if len(body) > _MOST_BYTES:
        return None
    header, tensors = (body, b"") if header_length is None else (body[:header_length], body[header_length:])
    try:
        document = json.loads(header.decode())
    except (ValueError, RecursionError):
        return [body.decode("utf-8", "replace")]
    return [*_texts(document, _OF_THE_PROTOCOL if protocol else frozenset()), tensors.decode("utf-8", "replace")]


def _texts(document: object, without: frozenset[str]) -> Iterator[str]:
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [value for name, value in item.items() if name not in without]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            yield item
        elif isinstance(item, bool) or item is None:
            yield from _LITERALS[item]


def redacted(said: str, texts: Sequence[Sequence[str] | None], names: frozenset[str], *, sensitive: bool) -> str:
    """Return what the model said, without what it said it about.

    Args:
        said: The model's words, or ours about its answer.
        texts: Those in the requests that failed so, for requests that shared a call share its error; None where they
            are not known.
        names: Of features and tensors, which may be quoted.
        sensitive: Whether a feature is.

    Returns:
        At most LONGEST printable characters; empty when nothing may be told.
    """
    said = _TRACE.sub("", _PREFIX.sub("", said[:_LONGEST_READ]))
    held = Held(text for each in texts if each is not None for text in each)
    if sensitive or None in texts:
        kind = _KIND.search(said)
        return kind[0] if kind is not None and not held.gives_away(kind[0]) else ""
    kept = "".join(_kept(piece, names, held) for piece in _PIECES.finditer(said))
    kept = _LOOSE_END.sub("", _GAPS.sub(_CUT, " ".join(kept.split())))
    if _WORD.search(kept) is None:
        return ""
    return kept if len(kept) <= LONGEST else f"{kept[: LONGEST - 1]}{_CUT}"


def _kept(piece: "re.Match[str]", names: frozenset[str], held: Held) -> str:
    """What of a piece is left."""
    word, between, inside = piece["word"], piece["between"], piece["inside"]
    if word is not None:
        tellable = _WORD.fullmatch(word) is not None and len(word) <= _LONGEST_WORD
        return word if tellable and not held.gives_away(word) else _CUT
    if between is not None:
        return between if between.isascii() and between.isprintable() else " "
    named = inside in names | _TYPES and len(inside) <= _LONGEST_WORD and not held.gives_away(inside)
    return f"{piece['quote']}{inside}{piece['quote']}" if named else _CUT
