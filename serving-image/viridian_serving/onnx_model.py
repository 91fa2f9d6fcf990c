"""Looks at an ONNX model before Triton does, because Triton's own complaint about a bad one is pages long."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from viridian_serving.model_source import ModelError

# Element types that Triton and the inference protocol know, by ONNX Runtime's names.
TRITON_TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}
DYNAMIC = -1


@dataclass(frozen=True)
class OnnxTensor:
    """An input or output as the ONNX file declares it, batch dimension included."""

    name: str
    triton_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OnnxModel:
    """What is needed of an ONNX file to write Triton's configuration."""

    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]

    @property
    def batched(self) -> bool:
        """Whether the first dimension of everything is open, which is how ONNX says 'any number of instances'."""
        return all(tensor.shape[:1] == (DYNAMIC,) for tensor in (*self.inputs, *self.outputs))


def inspect(file: Path) -> OnnxModel:
    """Load the model once and read its inputs and outputs.

    Args:
        file: The ONNX file.

    Returns:
        Its inputs and outputs.

    Raises:
        ModelError: It is not an ONNX file, ONNX Runtime cannot run it, or it has inputs or outputs that cannot be
            served.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base but this
        raise ModelError(_load_fault(file, error)) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if not inputs:
        raise ModelError(f"{file} has no inputs, so it would answer every request alike; export it with its inputs")
    model = OnnxModel(
        tuple(_tensor(file, "input", node) for node in inputs), tuple(_tensor(file, "output", node) for node in outputs)
    )
    if not model.batched and any(not tensor.shape for tensor in model.inputs):
        raise ModelError(f"{file} has an input without dimensions; export it with a dynamic first dimension")
    return model


def _load_fault(file: Path, error: Exception) -> str:
    text = " ".join(str(error).split())
    if type(error).__name__ in ("InvalidProtobuf", "NoSuchFile") or "Protobuf parsing failed" in text:
        return f"{file} is not an ONNX model or is damaged; export the model again and rebuild the image"
    if "opset" in text.lower():
        return (
            f"{file} uses an operator set that ONNX Runtime {onnxruntime.__version__} does not know; "
            f"export it with an older target_opset (ONNX Runtime says: {text[:200]})"
        )
    return f"ONNX Runtime {onnxruntime.__version__} cannot load {file}; export it again ({text[:300]})"


def _tensor(file: Path, kind: str, node: Any) -> OnnxTensor:  # noqa: ANN401  ONNX Runtime has no type for it
    if node.type not in TRITON_TYPES:
        advice = (
            "export it with zipmap off (skl2onnx: options={'zipmap': False})"
            if node.type.startswith("seq(map(")
            else "export it with tensors of numbers, booleans or strings"
        )
        raise ModelError(f"{kind} {node.name!r} of {file} has type {node.type}, which cannot be served; {advice}")
    shape = tuple(dim if isinstance(dim, int) and dim >= 0 else DYNAMIC for dim in node.shape)
    return OnnxTensor(node.name, TRITON_TYPES[node.type], shape)
