"""Boosters of LightGBM, which are no estimators, by onnxmltools."""

from typing import Any

import onnx
from onnxmltools import convert_lightgbm as convert_booster
from onnxmltools.convert.common.data_types import FloatTensorType

from viridian_import.convert.estimator import MATRIX
from viridian_import.convert.failures import sentence
from viridian_import.convert.graph import with_outputs
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Plan

_OPSET = 15
"""The newest that onnxmltools has."""


def convert_lightgbm(booster: Any, description: Description, plan: Plan, width: int, file: str) -> None:  # noqa: ANN401
    """Write a booster as ONNX.

    Args:
        booster: Of LightGBM.
        description: What it answers.
        plan: How.
        width: Number of its columns.
        file: Where to.

    Raises:
        ImportFault: It cannot be converted this way.
    """
    if plan.double or plan.integers:
        raise ImportFault("boosters of LightGBM are converted to float32 only")
    try:
        model = convert_booster(
            booster, initial_types=[(MATRIX, FloatTensorType([None, width]))], zipmap=False, target_opset=_OPSET
        )
    except Exception as error:  # what converters raise has no common base
        raise ImportFault(sentence(error, booster)) from error
    onnx.save(with_outputs(model, [output.name for output in description.outputs]), file)
