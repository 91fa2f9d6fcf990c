"""The values of `spec.model.format`."""

from typing import Final, Literal

ModelFormat = Literal["onnx", "triton", "sklearn", "xgboost", "lightgbm", "mlflow"]
"""How the files of a model are laid out."""
NATIVE: Final = ("sklearn", "xgboost", "lightgbm")
"""Formats that run in the library that trained the model."""
MAY_RUN_CODE: Final = (*NATIVE, "mlflow")
"""Formats whose files may be pickles, which need `spec.model.trusted`."""
