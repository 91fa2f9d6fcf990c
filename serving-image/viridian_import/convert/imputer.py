"""Missing numbers: filled in with 64 bits, for which ONNX Runtime has no operator Imputer, and told by indicators."""

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, guess_proto_type
from skl2onnx.common.utils import check_input_and_output_numbers
from skl2onnx.operator_converters.common import concatenate_variables
from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer
from skl2onnx.proto import onnx_proto
from skl2onnx.shape_calculators.imputer import calculate_sklearn_imputer_output_shapes
from sklearn.impute import MissingIndicator, SimpleImputer


def register() -> None:
    """Make the converters known."""
    update_registered_converter(SimpleImputer, "SklearnSimpleImputer", _imputed_shape, _impute, overwrite=True)
    update_registered_converter(MissingIndicator, "ViridianMissingIndicator", _indicated_shape, _indicate)


def _is_nan(value: object) -> bool:
    # Not "is np.nan": a model that was loaded has its own NaN.
    return isinstance(value, float) and np.isnan(value)


def _fills_nan(imputer: Any) -> bool:  # noqa: ANN401
    """Whether it fills in NaN, and a number for each column: those without any it would leave out."""
    return _is_nan(imputer.missing_values) and not np.isnan(imputer.statistics_).any()


def _imputed_shape(operator: Any) -> None:  # noqa: ANN401  skl2onnx has no types
    calculate_sklearn_imputer_output_shapes(operator)
    if operator.raw_operator.add_indicator:
        rows, columns = operator.outputs[0].type.shape
        indicated = len(operator.raw_operator.indicator_.features_)
        operator.outputs[0].type.shape = [rows, None if columns is None else columns + indicated]


def _impute(scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401
    imputer, kind = operator.raw_operator, operator.inputs[0].type
    if not imputer.add_indicator and not (isinstance(kind, DoubleTensorType) and _fills_nan(imputer)):
        convert_sklearn_imputer(scope, operator, container)
        return
    if not isinstance(kind, FloatTensorType | DoubleTensorType) or not _fills_nan(imputer):
        raise RuntimeError(
            "SimpleImputer with add_indicator=True is converted for numbers, of which every column has some, and NaN; "
            "add_indicator=False does without"
        )
    name = scope.get_unique_variable_name
    given = concatenate_variables(scope, operator.inputs, container)
    filled = name("filled") if imputer.add_indicator else operator.outputs[0].full_name
    missing, fill = name("missing"), name("fill")
    statistics = np.asarray(imputer.statistics_, dtype=np.float64)
    container.add_initializer(fill, guess_proto_type(kind), [1, len(statistics)], statistics)
    _node(scope, container, "IsNaN", [given], missing)
    _node(scope, container, "Where", [missing, fill, given], filled)
    if imputer.add_indicator:
        indicated = name("indicated")
        _chosen(scope, container, missing, imputer.indicator_, guess_proto_type(kind), indicated)
        _node(scope, container, "Concat", [filled, indicated], operator.outputs[0].full_name, axis=1)


def _indicated_shape(operator: Any) -> None:  # noqa: ANN401
    check_input_and_output_numbers(operator, input_count_range=[1, None], output_count_range=1)
    rows = operator.inputs[0].get_first_dimension()
    kind = DoubleTensorType if isinstance(operator.inputs[0].type, DoubleTensorType) else FloatTensorType
    operator.outputs[0].type = kind([rows, len(operator.raw_operator.features_)])


def _indicate(scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401
    indicator, kind = operator.raw_operator, operator.inputs[0].type
    if not isinstance(kind, FloatTensorType | DoubleTensorType) or not _is_nan(indicator.missing_values):
        raise RuntimeError("MissingIndicator is converted for numbers and NaN")
    missing = scope.get_unique_variable_name("missing")
    _node(scope, container, "IsNaN", [concatenate_variables(scope, operator.inputs, container)], missing)
    _chosen(scope, container, missing, indicator, guess_proto_type(kind), operator.outputs[0].full_name)


def _chosen(scope: Any, container: Any, missing: str, indicator: Any, type_: int, out: str) -> None:  # noqa: ANN401
    """Make numbers of what is missing, in the columns that an indicator has."""
    columns, chosen = scope.get_unique_variable_name("columns"), scope.get_unique_variable_name("chosen")
    features = [int(each) for each in indicator.features_]
    container.add_initializer(columns, onnx_proto.TensorProto.INT64, [len(features)], features)
    _node(scope, container, "Gather", [missing, columns], chosen, axis=1)
    _node(scope, container, "Cast", [chosen], out, to=type_)


def _node(scope: Any, container: Any, kind: str, inputs: list[str], output: str, **attributes: int) -> None:  # noqa: ANN401
    version = {"IsNaN": 13, "Where": 16, "Concat": 13, "Gather": 13, "Cast": 13}[kind]
    container.add_node(
        kind, inputs, output, name=scope.get_unique_operator_name(kind), op_version=version, **attributes
    )
