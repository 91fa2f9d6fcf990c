"""Labels of which a converter says others: those of equally likely classes, and those behind a threshold."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx

from viridian_import.convert.graph import rename, with_nodes

_EQUAL: Final = 1e6
"""Probabilities are equal if they are when rounded to one in so many."""


def answers_first_of_equals(estimator: Any) -> bool:  # noqa: ANN401
    """Whether a classifier's label is that of its highest probability, and its converter may say another."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    of_many = type(last).__module__ in ("sklearn.ensemble._forest", "sklearn.discriminant_analysis")
    return of_many and hasattr(last, "predict_proba")


def with_first_of_equals(model: onnx.ModelProto, classes: Sequence[Any]) -> onnx.ModelProto:
    """Answer the first of the classes that are equally likely, as scikit-learn does.

    ONNX Runtime adds the shares of trees in 32 bits, of which some halves are a little more than the other; and what
    skl2onnx makes of QuadraticDiscriminantAnalysis answers one label for all rows.

    Args:
        model: It is changed. Its first outputs are the label and the probabilities.
        classes: In the order of the probabilities.

    Returns:
        The model.
    """
    label, chances = model.graph.output[0].name, model.graph.output[1].name
    make = onnx.helper.make_node
    _constant(model, f"{label}_parts", _EQUAL)
    nodes = [
        make("Mul", [chances, f"{label}_parts"], [f"{label}_shares"]),
        make("Round", [f"{label}_shares"], [f"{label}_rounded"]),
        make("ArgMax", [f"{label}_rounded"], [f"{label}_chosen"], axis=1, keepdims=0),
    ]
    return _labelled(model, nodes, classes)


def without_threshold(estimator: Any) -> tuple[Any, tuple[int, float] | None]:  # noqa: ANN401
    """Take the threshold from a classifier that has one.

    Args:
        estimator: It was fitted.

    Returns:
        What it is without, and the position of the class that the threshold is of, with the lowest probability for it.
        What has none, or one of other scores, is returned as it is.
    """
    threshold = getattr(estimator, "best_threshold_", getattr(estimator, "threshold", None))
    scores = getattr(estimator, "response_method", "decision_function") == "decision_function"
    if threshold is None or scores or not hasattr(getattr(estimator, "estimator_", None), "predict_proba"):
        return estimator, None
    positive = getattr(estimator, "pos_label", None)
    position = 1 if positive is None else int(np.flatnonzero(estimator.classes_ == positive)[0])
    return estimator.estimator_, (position, 0.5 if threshold == "auto" else float(threshold))


def with_threshold(model: onnx.ModelProto, classes: Sequence[Any], position: int, lowest: float) -> onnx.ModelProto:
    """Answer a class from a probability on.

    Args:
        model: It is changed. Its first outputs are the label and the probabilities of two classes.
        classes: In the order of the probabilities.
        position: Of the class.
        lowest: Its lowest probability with which it is answered.

    Returns:
        The model.
    """
    label, chances = model.graph.output[0].name, model.graph.output[1].name
    make, integer = onnx.helper.make_node, onnx.TensorProto.INT64
    _constant(model, f"{label}_lowest", lowest)
    model.graph.initializer.append(onnx.helper.make_tensor(f"{label}_position", integer, [], [position]))
    nodes = [
        make("Gather", [chances, f"{label}_position"], [f"{label}_chance"], axis=1),
        make("GreaterOrEqual", [f"{label}_chance", f"{label}_lowest"], [f"{label}_reached"]),
        make("Cast", [f"{label}_reached"], [f"{label}_chosen"], to=integer),
    ]
    return _labelled(model, nodes, classes if position else classes[::-1])


def _constant(model: onnx.ModelProto, name: str, value: float) -> None:
    """Add a number of the type of the probabilities."""
    kind = model.graph.output[1].type.tensor_type.elem_type
    model.graph.initializer.append(onnx.helper.make_tensor(name, kind, [], [value]))


def _labelled(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], classes: Sequence[Any]) -> onnx.ModelProto:
    """Answer the class whose position nodes end with, in place of the label of the model."""
    output = model.graph.output[0]
    label, kind = output.name, output.type.tensor_type.elem_type
    values: Any = [each.encode() if isinstance(each, str) else int(each) for each in classes]
    model.graph.initializer.append(onnx.helper.make_tensor(f"{label}_classes", kind, [len(values)], values))
    rename(model.graph, label, f"{label}_unused")
    last = onnx.helper.make_node("Gather", [f"{label}_classes", f"{label}_chosen"], [label])
    return with_nodes(model, [*model.graph.node, *nodes, last])
