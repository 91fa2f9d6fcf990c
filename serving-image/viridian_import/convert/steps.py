"""What an estimator is made of."""

from collections.abc import Iterator
from typing import Any


def steps(estimator: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield an estimator and all that it is made of, each with its place, such as ``prepare.numbers.scale``."""
    yield path, estimator
    for name, inner in _inner(estimator):
        if hasattr(inner, "get_params"):
            yield from steps(inner, f"{path}.{name}".lstrip("."))


def _inner(estimator: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    if hasattr(estimator, "steps"):
        return list(estimator.steps)
    if hasattr(estimator, "transformers_"):
        return [(name, inner) for name, inner, _ in estimator.transformers_]
    for attribute in ("transformer_list", "estimators"):
        pairs = getattr(estimator, attribute, None)
        if isinstance(pairs, list) and pairs and isinstance(pairs[0], tuple):
            return [(str(pair[0]), pair[1]) for pair in pairs]
    inner = getattr(estimator, "estimator", None)
    return [("estimator", inner)] if inner is not None and not isinstance(inner, str) else []
