"""The values of `spec.model.format`."""

from typing import Literal

ModelFormat = Literal["onnx", "triton"]
"""How the files of a model are laid out."""
