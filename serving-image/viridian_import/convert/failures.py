"""From what a converter raises to a sentence that names the step at fault, and the ways out."""

import re
from collections.abc import Iterator
from typing import Any, Final

from viridian_import.convert.steps import made_of, steps
from viridian_serving.artifacts.library_words import words_of

_CLASS: Final = re.compile(r"<class '([\w.]+)'>")
_AROUND: Final = re.compile(r"[Oo]perator Sklearn(\w+) .*(?:at most 1 input\(s\)|wrong type .*StringTensorType)")
_SAID: Final = 300
_WAYS_OUT: Final = (
    "move what it does into preprocess.py beside the model (docs/reference/schema.md) and train without it; use a step "
    "that has a converter; teach skl2onnx one with update_registered_converter() in a module of your own, given by "
    "--code; or serve the model as it is, by its own library: --native"
)


def sentence(error: Exception, estimator: Any) -> str:  # noqa: ANN401
    """Say why a model cannot be converted.

    Args:
        error: What the converter raised.
        estimator: What it was given.

    Returns:
        A sentence with the ways out.
    """
    words = said(error)
    if around := _around(words, estimator):
        return (
            f"{around} is around a pipeline that chooses columns (ColumnTransformer) or reads texts, which cannot be "
            f"converted to ONNX; put it behind that, as in make_pipeline(columns, {around}(model)), and train it "
            "again; or serve the model as it is, by its own library: --native"
        )
    culprit = next(_culprits(words, estimator), "")
    where = culprit or "the model"
    return f"{where} cannot be converted to ONNX ({words}); {_WAYS_OUT}"


def said(error: Exception) -> str:
    """Return what a converter says, shortened."""
    return words_of(str(error).partition("\nIt usually means")[0] or type(error).__name__, _SAID)


def _around(words: str, estimator: Any) -> str:  # noqa: ANN401
    """Name what takes one array of numbers and is around a pipeline that does not; empty where that is not at fault."""
    found = _AROUND.search(words)
    kinds = [type(each).__name__ for _, each in steps(estimator) if made_of(each)]
    return found[1] if found and found[1] in kinds else ""


def _culprits(words: str, estimator: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the steps whose class is named in these words."""
    named = {name.rpartition(".")[2] for name in _CLASS.findall(words)}
    if not hasattr(estimator, "get_params"):
        return
    for place, each in steps(estimator):
        kind = type(each).__name__
        if place and (kind in named or re.search(rf"\b{kind}\b", words)):
            yield f"step {place!r} ({kind})"
