"""Estimators and pipelines with scikit-learn's interface, by skl2onnx and the converters of onnxmltools."""

from collections.abc import Mapping
from typing import Any, Final

import onnx
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from viridian_import.convert import boosting, calibration, functions, imputer, labels, trees, words
from viridian_import.convert.failures import sentence
from viridian_import.convert.graph import with_inputs, with_missing_zeros, with_outputs, with_rounded_trees
from viridian_import.convert.missing import told_by_empty_strings
from viridian_import.convert.steps import steps
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Plan
from viridian_serving.codec.tensors import Kind

MATRIX: Final = "X"
"""The input that has all columns."""
_OPSETS: Final = {"": 18, "ai.onnx.ml": 3}


def convert(
    estimator: Any,  # noqa: ANN401
    description: Description,
    plan: Plan,
    kinds: Mapping[str, Kind],
    row: Any,  # noqa: ANN401
    file: str,
) -> None:
    """Write an estimator as ONNX.

    Args:
        estimator: It was fitted.
        description: What it answers.
        plan: How.
        kinds: Of the features, in their order.
        row: One that it answers, as it takes it.
        file: Where to.

    Raises:
        ImportFault: It cannot be converted this way.
    """
    functions.register()
    imputer.register()
    calibration.register()
    boosting.register({type(each).__module__.partition(".")[0] for _, each in steps(estimator)})
    inputs = _inputs(plan, kinds)
    readied, inverse = functions.without_target(told_by_empty_strings(estimator))
    readied, threshold = labels.without_threshold(readied)
    boosting.number_features(readied)
    trees.make_finite(readied)
    for _, each in steps(readied):
        if hasattr(each, "flatten_transform"):
            each.flatten_transform = False  # of transform(), which nobody asks; there is no converter for True
        if getattr(each, "encode", None) == "onehot":
            each.encode = "onehot-dense"  # the same numbers; ONNX has no sparse tensors
    try:
        model = convert_sklearn(
            readied, initial_types=inputs, options=_options(readied, description), target_opset=_OPSETS
        )
    except Exception as error:  # what converters raise has no common base
        raise ImportFault(sentence(error, estimator)) from error
    # It knows names of letters, digits and underscores alone.
    model = with_inputs(model, [name for name, _ in inputs])
    model = trees.with_missing_paths(model, readied)
    if description.classes is not None:
        if threshold is not None:
            model = labels.with_threshold(model, description.classes, *threshold)
        elif labels.answers_first_of_equals(readied):
            model = labels.with_first_of_equals(model, description.classes)
    if boosting.misses_zeros(estimator, row):
        model = with_missing_zeros(model)
    if plan.double and _rounds(estimator):
        model = with_rounded_trees(model)
    model = functions.with_steps(model, inverse)
    onnx.save(with_outputs(model, [output.name for output in description.outputs]), file)


def _rounds(estimator: Any) -> bool:  # noqa: ANN401
    """Whether its trees compare numbers of 32 bits. Those of LightGBM and of scikit-learn's histograms do not."""
    modules = [type(each).__module__ for _, each in steps(estimator)]
    return not any(module.startswith(("lightgbm.", "sklearn.ensemble._hist")) for module in modules)


def _inputs(plan: Plan, kinds: Mapping[str, Kind]) -> list[tuple[str, Any]]:
    if plan.layout is Layout.COLUMNS:
        return [(name, _type(kind, plan)([None, 1])) for name, kind in kinds.items()]
    types = {_type(kind, plan) for kind in kinds.values()}
    if len(types) > 1:
        raise ImportFault(
            "the model takes its columns as one array, and an ONNX input holds values of one type, while the sample "
            "has several; train it with a ColumnTransformer that chooses columns by their names"
        )
    return [(MATRIX, types.pop()([None, len(kinds)]))]


def _type(kind: Kind, plan: Plan) -> Any:  # noqa: ANN401
    if kind is Kind.STRING:
        return StringTensorType
    if kind is Kind.INTEGER and plan.integers:
        return Int64TensorType
    if kind is Kind.BOOLEAN and plan.integers:
        return BooleanTensorType
    return DoubleTensorType if plan.double else FloatTensorType


def _options(estimator: Any, description: Description) -> dict[Any, Any]:  # noqa: ANN401
    options: dict[Any, Any] = dict(calibration.options(estimator))
    for _, each in steps(estimator):
        if hasattr(each, "build_analyzer"):
            options[id(each)] = words.options_of(each)
    # Also where they are not kept: those of several labels are no table, which this step would need.
    if description.task == "classifier" and hasattr(estimator, "predict_proba"):
        options[id(estimator)] = {"zipmap": False}
    return options
