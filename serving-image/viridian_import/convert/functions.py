"""Functions of numpy in a FunctionTransformer, and the inverse one of a TransformedTargetRegressor, as operators."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import Int64TensorType, StringTensorType, guess_proto_type
from skl2onnx.operator_converters.common import concatenate_variables
from skl2onnx.operator_converters.function_transformer import convert_sklearn_function_transformer
from skl2onnx.shape_calculators.function_transformer import calculate_sklearn_function_transformer_output_shapes
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from viridian_import.convert.graph import rename, with_nodes

Steps = Sequence[tuple[str, float | Sequence[float] | None]]
"""Operators of ONNX in their order, each with its second input where it has one."""
_OPERATORS: Final[Mapping[Any, Steps]] = {
    None: [],
    np.log: [("Log", None)],
    np.log1p: [("Add", 1.0), ("Log", None)],
    np.log2: [("Log", None), ("Div", float(np.log(2)))],
    np.log10: [("Log", None), ("Div", float(np.log(10)))],
    np.exp: [("Exp", None)],
    np.expm1: [("Exp", None), ("Sub", 1.0)],
    np.exp2: [("Mul", float(np.log(2))), ("Exp", None)],
    np.sqrt: [("Sqrt", None)],
    np.square: [("Pow", 2.0)],
    np.abs: [("Abs", None)],
    np.negative: [("Neg", None)],
    np.reciprocal: [("Reciprocal", None)],
    np.sign: [("Sign", None)],
    np.sin: [("Sin", None)],
    np.cos: [("Cos", None)],
    np.tan: [("Tan", None)],
    np.tanh: [("Tanh", None)],
    np.floor: [("Floor", None)],
    np.ceil: [("Ceil", None)],
    np.rint: [("Round", None)],
}


def register() -> None:
    """Make the converter known."""
    update_registered_converter(FunctionTransformer, "SklearnFunctionTransformer", _shape, _convert, overwrite=True)


def without_target(estimator: Any) -> tuple[Any, Steps]:  # noqa: ANN401
    """Take the transformation of its target from a regressor.

    Args:
        estimator: It was fitted.

    Returns:
        What it is without, and the operators that its answers go through then. What has no such transformation, or one
        that is not known, is returned as it is.
    """
    *before, last = [each for _, each in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    inverse = _inverse(last.transformer_) if hasattr(last, "regressor_") and hasattr(last, "transformer_") else None
    if inverse is None:
        return estimator, []
    inner = last.regressor_
    return Pipeline([*estimator.steps[:-1], ("regressor", inner)]) if before else inner, inverse


def with_steps(model: onnx.ModelProto, steps: Steps) -> onnx.ModelProto:
    """Put operators behind the first output of a model.

    Args:
        model: It is changed.
        steps: The operators.

    Returns:
        The model.
    """
    if not steps:
        return model
    output = model.graph.output[0]
    rename(model.graph, output.name, f"{output.name}_before")
    names = [f"{output.name}_before", *(f"{output.name}_{i}" for i in range(1, len(steps))), output.name]
    nodes = list(model.graph.node)
    for position, (kind, value) in enumerate(steps):
        inputs = [names[position]]
        if value is not None:
            numbers = np.ravel(value).tolist()
            inputs.append(f"{names[position]}_{kind}")
            model.graph.initializer.append(
                onnx.helper.make_tensor(inputs[1], output.type.tensor_type.elem_type, [len(numbers)], numbers)
            )
        nodes.append(onnx.helper.make_node(kind, inputs, [names[position + 1]]))
    return with_nodes(model, nodes)


def _inverse(transformer: Any) -> Steps | None:  # noqa: ANN401
    if isinstance(transformer, FunctionTransformer):
        return _OPERATORS.get(transformer.inverse_func)
    if isinstance(transformer, StandardScaler):
        scale, mean = transformer.scale_, transformer.mean_
        return [*([("Mul", scale)] if scale is not None else []), *([("Add", mean)] if mean is not None else [])]
    return None


def _steps(transformer: Any) -> Steps | None:  # noqa: ANN401
    """The operators of a function; None where it is not one of numpy, or takes arguments."""
    try:
        return None if transformer.kw_args else _OPERATORS.get(transformer.func)
    except TypeError:  # no key of a dictionary
        return None


def _shape(operator: Any) -> None:  # noqa: ANN401  skl2onnx has no types
    transformer = operator.raw_operator
    if _steps(transformer) is None:
        raise RuntimeError("FunctionTransformer has a function that is not one of numpy's, such as numpy.log1p")
    operator.raw_operator = FunctionTransformer()  # the shapes are those of no function
    calculate_sklearn_function_transformer_output_shapes(operator)
    operator.raw_operator = transformer


def _convert(scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401
    steps, kind = _steps(operator.raw_operator), operator.inputs[0].type
    if not steps:
        convert_sklearn_function_transformer(scope, operator, container)
        return
    if isinstance(kind, Int64TensorType | StringTensorType):
        raise RuntimeError("FunctionTransformer is converted for numbers that are no integers")  # noqa: TRY004
    given = concatenate_variables(scope, operator.inputs, container)
    for position, (operation, value) in enumerate(steps):
        inputs, last = [given], position == len(steps) - 1
        if value is not None:
            inputs.append(scope.get_unique_variable_name("value"))
            container.add_initializer(inputs[1], guess_proto_type(kind), [], [value])
        given = operator.outputs[0].full_name if last else scope.get_unique_variable_name("made")
        container.add_node(operation, inputs, given, name=scope.get_unique_operator_name(operation), op_version=13)
