"""What words of a text are: in scikit-learn, and in the operators that its vectorizers become."""

import locale
from typing import Any, Final

LOCALE: Final = "en_US.UTF-8"
"""Of the serving image. Where this machine lacks it, letters beyond ASCII keep their case."""
_WORDS: Final = {
    **dict.fromkeys((r"(?u)\b\w\w+\b", r"\b\w\w+\b"), r"[\pL\pN_]{2,}"),
    **dict.fromkeys((r"(?u)\b\w+\b", r"\b\w+\b", r"(?u)\w+", r"\w+"), r"[\pL\pN_]+"),
}
r"""Patterns of words in Python and in RE2, of which \w means ASCII alone; the first one is scikit-learn's own."""


def options_of(vectorizer: Any) -> dict[str, str]:  # noqa: ANN401
    """Return how skl2onnx is to convert a vectorizer: by which locale, and into which words a text falls."""
    chosen = {"locale": LOCALE if has_locale() else "C"}
    if vectorizer.analyzer == "word" and vectorizer.token_pattern in _WORDS:
        chosen["tokenexp"] = _WORDS[vectorizer.token_pattern]
    return chosen


def has_locale() -> bool:
    """Whether this machine has the locale by which the pods compare words."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, LOCALE)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_CTYPE, before)
    return True
