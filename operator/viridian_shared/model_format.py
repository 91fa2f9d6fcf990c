"""The values of `spec.model.format`."""

from typing import Final, Literal

ModelFormat = Literal["onnx", "triton", "sklearn", "xgboost", "lightgbm"]
"""How the files of a model are laid out."""
NATIVE: Final = ("sklearn", "xgboost", "lightgbm")
"""Formats that run in the library that trained the model."""
