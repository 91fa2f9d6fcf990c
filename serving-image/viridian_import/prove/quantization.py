"""The same model in numbers of 8 bits: worth having only where it is measured to be faster, and as good."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import onnx

from viridian_import.faults import ImportFault
from viridian_import.messages import Column, Role
from viridian_import.prove.onnx_side import OnnxSide
from viridian_import.prove.parity import Parity, compare
from viridian_import.prove.speed import SIZES, Speed, repeated, time_of
from viridian_import.prove.study import Study
from viridian_serving.artifacts.library_words import words_of

_INTEGER_OPERATORS: Final = ("MatMulInteger", "ConvInteger", "DynamicQuantizeLSTM", "QLinearMatMul", "QLinearConv")
_PRODUCTS: Final = ("MatMul", "Gemm", "Conv", "LSTM")
_FASTER: Final = 0.95
"""Share of the float model's time below which it is faster; the rest is noise."""


@dataclass(frozen=True)
class Quantized:
    """What was measured."""

    file: Path
    points: tuple[float, float]
    """Of the float model and of this one: percent of labels that are right, or R² in percent."""
    microseconds: tuple[float, ...]
    """Of a call with each of SIZES."""
    speed: tuple[Speed, ...]
    """Of the float model."""
    parity: Parity
    """With the original; only labels count as differences."""
    operators: int
    """Nodes that compute with 8 bits."""

    @property
    def loss(self) -> float:
        """Points that are lost."""
        return self.points[0] - self.points[1]

    def describe(self, float_size: int) -> str:
        """Return the figures as the end of a sentence."""
        times = ", ".join(
            f"{each.size} {each.onnx:,.0f} → {here:,.0f} µs"
            for each, here in zip(self.speed, self.microseconds, strict=True)
        )
        before, after = self.points
        return f"{before:.2f} → {after:.2f} points, {float_size:,} → {self.file.stat().st_size:,} bytes, {times}"

    def refusal(self, max_loss: float) -> str | None:
        """Return why it is not worth having, or None."""
        if not self.operators:
            return (
                "nothing of it can be quantized: it has no products of matrices, and trees and tables stay as they are"
            )
        if self.loss > max_loss:
            return f"it loses {self.loss:.2f} points on the sample, and --max-accuracy-loss is {max_loss:g}"
        shares = [here / each.onnx for each, here in zip(self.speed, self.microseconds, strict=True)]
        if min(shares) > _FASTER:
            return "it is not faster than the float model"
        return None


def quantize(found: Study, target: Column, speed: Sequence[Speed]) -> Quantized:
    """Make and measure the model in 8 bits.

    Args:
        found: The float model.
        target: What it should predict, for each row of the sample.
        speed: Of the float model.

    Returns:
        What was measured.

    Raises:
        ImportFault: It cannot be made.
    """
    file = found.converted.file.with_name("int8.onnx")
    operators = to_int8(found.converted.file, file)
    converted = found.converted
    side = OnnxSide(file, preprocessed=found.description.preprocessed)
    # The scale of 8-bit numbers is that of all rows of a call, which pods therefore do not join.
    answers = side.answer(found.trial.table, converted.contract, apart=True)
    rows = found.features.rows
    output = found.description.outputs[0]
    float_answers = converted.side.answer(found.features, converted.contract)
    points = [
        _points(target.values, next(iter(each.values.values()))[:rows], output.role)
        for each in (float_answers, answers)
    ]
    refusals = {
        row: why for row in range(found.trial.table.rows) if (why := converted.gate.refusal(found.trial.table, row))
    }
    parity = compare(found.answers, answers, found.description.outputs, refusals, range(0), float("inf"))
    tables = [repeated(found.answered, size) for size in SIZES]
    microseconds = tuple(time_of(side, table, converted.contract) for table in tables)
    return Quantized(file, (points[0], points[1]), microseconds, tuple(speed), parity, operators)


def to_int8(file: Path, out: Path) -> int:
    """Write a model with products of matrices in 8 bits.

    Args:
        file: The float model.
        out: Where to.

    Returns:
        Nodes that compute with 8 bits.

    Raises:
        ImportFault: It cannot be made.
    """
    import onnxslim
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(file))
    if not any(node.op_type in _PRODUCTS for node in model.graph.node):
        shutil.copyfile(file, out)
        return 0
    strings = onnx.TensorProto.STRING
    try:
        # onnxslim cannot write strings, such as the categories of an encoder.
        slim = (
            model
            if any(each.type.tensor_type.elem_type == strings for each in model.graph.input)
            else onnxslim.slim(model)
        )
        # Else onnxruntime prints that the model should be prepared, which it was.
        slim.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
        quantize_dynamic(slim, out, weight_type=QuantType.QInt8)
    except Exception as error:  # neither has its own errors
        raise ImportFault(f"the model cannot be quantized ({words_of(error)}); leave --quantize out") from error
    return sum(node.op_type in _INTEGER_OPERATORS for node in onnx.load(str(out)).graph.node)


def _points(wanted: Sequence[Any], given: Sequence[Any], role: Role) -> float:
    pairs = [(left, right) for left, right in zip(wanted, given, strict=True) if left is not None and right is not None]
    if not pairs:
        raise ImportFault("no row of the sample has both a target and an answer; give a --target with values")
    if role is Role.LABEL:
        return 100 * fmean(_same(*pair) for pair in pairs)
    if not all(isinstance(each, int | float) for pair in pairs for each in pair):
        raise ImportFault("the target is no number, as the predictions are; name another with --target")
    mean = fmean(left for left, _ in pairs)
    spread = sum((left - mean) ** 2 for left, _ in pairs)
    return 100 * (1 - sum((left - right) ** 2 for left, right in pairs) / spread) if spread else 0.0


def _same(wanted: object, given: object) -> bool:
    return wanted == given or str(wanted) == str(given)
