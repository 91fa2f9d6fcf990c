"""Which versions made a model, and which run it here."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

_DISTRIBUTIONS: Final = {
    "sklearn": ("scikit-learn",),
    "joblib": ("joblib",),
    "skops": ("skops",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
    "tokenizers": ("tokenizers",),
    "torch": ("torch",),
    "transformers": ("transformers",),
}
_MISMATCH: Final = re.compile(r"Trying to unpickle estimator (\S+) from version (\S+) when using version (\S+?)\.\s")


def mismatches(caught: Iterable[Any]) -> list[str]:
    """Turn the warnings of scikit-learn, one for each step, into one sentence for each pair of versions."""
    found: dict[tuple[str, str], list[str]] = {}
    for warning in caught:
        if match := _MISMATCH.match(f"{warning.message} "):
            found.setdefault((match[2], match[3]), []).append(match[1])
    return [
        f"the model was made by scikit-learn {made} and is run here by {here} ({', '.join(dict.fromkeys(steps))}): "
        f"what is proven is the model as {here} runs it; to be sure, pip install scikit-learn=={made} and import it "
        "again"
        for (made, here), steps in found.items()
    ]


def versions_of(modules: Iterable[str]) -> dict[str, str]:
    """Return the versions that are installed.

    Args:
        modules: Names of top-level modules.
    """
    found = {}
    for module in modules:
        for name in _DISTRIBUTIONS.get(module, ()):
            try:
                found[name.removesuffix("-cpu")] = version(name)
            except PackageNotFoundError:
                continue
    return found
