"""Fills in missing numbers of 64 bits, for which ONNX Runtime has no operator Imputer."""

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.operator_converters.common import concatenate_variables
from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer
from skl2onnx.proto import onnx_proto
from skl2onnx.shape_calculators.imputer import calculate_sklearn_imputer_output_shapes
from sklearn.impute import SimpleImputer


def register() -> None:
    """Make the converter known."""
    update_registered_converter(
        SimpleImputer, "SklearnSimpleImputer", calculate_sklearn_imputer_output_shapes, _convert, overwrite=True
    )


def _fills_nan(imputer: Any) -> bool:  # noqa: ANN401
    """Whether it fills in NaN, and a number for each column: those without any it would leave out."""
    # Not "is np.nan": a model that was loaded has its own NaN.
    missing = imputer.missing_values
    return isinstance(missing, float) and np.isnan(missing) and not np.isnan(imputer.statistics_).any()


def _convert(scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401  skl2onnx has no types
    imputer = operator.raw_operator
    if not isinstance(operator.inputs[0].type, DoubleTensorType) or not _fills_nan(imputer):
        convert_sklearn_imputer(scope, operator, container)
        return
    given = concatenate_variables(scope, operator.inputs, container)
    missing, fill = scope.get_unique_variable_name("missing"), scope.get_unique_variable_name("fill")
    statistics = np.asarray(imputer.statistics_, dtype=np.float64)
    container.add_initializer(fill, onnx_proto.TensorProto.DOUBLE, [1, len(statistics)], statistics)
    container.add_node("IsNaN", given, missing, name=scope.get_unique_operator_name("IsNaN"), op_version=13)
    container.add_node(
        "Where",
        [missing, fill, given],
        operator.outputs[0].full_name,
        name=scope.get_unique_operator_name("Where"),
        op_version=16,
    )
