"""What an estimator is made of."""

from collections.abc import Iterator
from typing import Any


def steps(estimator: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield an estimator and all that it is made of, each with its place, such as ``prepare.numbers.scale``."""
    yield path, estimator
    for name, inner in made_of(estimator):
        if hasattr(inner, "get_params"):
            yield from steps(inner, f"{path}.{name}".lstrip("."))


def made_of(estimator: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    """Return what an estimator is made of, by name, as it was fitted: what it was given besides is a template."""
    if hasattr(estimator, "steps"):
        return list(estimator.steps)
    if hasattr(estimator, "transformers_"):
        return [(name, inner) for name, inner, _ in estimator.transformers_]
    if hasattr(estimator, "transformer_list"):
        return list(estimator.transformer_list)
    if hasattr(estimator, "named_estimators_"):
        last = getattr(estimator, "final_estimator_", None)
        return [*estimator.named_estimators_.items(), *([("final_estimator", last)] if last is not None else [])]
    if hasattr(estimator, "calibrated_classifiers_"):
        return [("estimator", each.estimator) for each in estimator.calibrated_classifiers_]
    for attribute in ("estimator_", "regressor_"):
        if hasattr(estimator, attribute):
            return [(attribute.rstrip("_"), getattr(estimator, attribute))]
    fitted = getattr(estimator, "estimators_", None)
    if not isinstance(fitted, list) or any(hasattr(each, "tree_") for each in fitted[:1]):
        return []  # a forest's trees are no steps
    return [("estimator", each) for each in fitted]
