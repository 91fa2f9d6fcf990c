"""Trees of scikit-learn that know missing values, which skl2onnx does not."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

from viridian_import.convert.steps import steps


def make_finite(estimator: Any) -> None:  # noqa: ANN401
    """Write thresholds that only missing values exceed as the largest number: with infinity, skl2onnx never ends.

    Args:
        estimator: A copy, which is changed.
    """
    for tree in (tree for trees in _trees(estimator) for tree in trees):
        tree.threshold[np.isposinf(tree.threshold)] = np.finfo(np.float32).max


def with_missing_paths(model: onnx.ModelProto, estimator: Any) -> onnx.ModelProto:  # noqa: ANN401
    """Send missing values the way that each tree learnt; skl2onnx sends all of them to the right.

    Args:
        model: It is changed.
        estimator: What it was made of.

    Returns:
        The model.
    """
    learnt = [np.concatenate([_left(tree) for tree in trees]) for trees in _trees(estimator)]
    nodes = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    if len(learnt) != 1 or len(nodes) != 1:
        return model  # which is which is not known; rows with missing values show whether it matters
    for attribute in nodes[0].attribute:
        if attribute.name == "nodes_missing_value_tracks_true" and len(attribute.ints) == len(learnt[0]):
            attribute.ints[:] = learnt[0].astype(int).tolist()
    return model


def _trees(estimator: Any) -> Iterator[list[Any]]:  # noqa: ANN401
    """Yield the trees of each step that is made of some which know missing values."""
    for _, each in steps(estimator):
        if type(each).__module__ == "sklearn.ensemble._forest":
            yield [inner.tree_ for inner in each.estimators_]
        elif hasattr(each, "tree_"):
            yield [each.tree_]


def _left(tree: Any) -> Any:  # noqa: ANN401
    """Whether each node sends missing values to the left."""
    return (tree.missing_go_to_left != 0) & (tree.children_left != -1)
