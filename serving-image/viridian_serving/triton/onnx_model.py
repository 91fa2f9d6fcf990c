"""Looks at an ONNX model before Triton does, because Triton's own complaint about a bad one is pages long."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from viridian_serving.artifacts.foreign_models import way_out
from viridian_serving.artifacts.library_words import words_of
from viridian_serving.artifacts.locate import ModelError
from viridian_serving.codec.tensors import DYNAMIC, Batch, Batching

if TYPE_CHECKING:
    import onnxruntime  # imported by who runs a model: it takes as much memory as all the rest

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
_WEIGHTS: Final = re.compile(r'External data path does not exist: "([^"]+)"')
_LOCALE: Final = "Failed to construct locale with name:"


class LoadError(ModelError):
    """ONNX Runtime cannot load the file; `words` are its own, in one line."""

    def __init__(self, message: str, words: str) -> None:
        """The sentence for people, and ONNX Runtime's words."""
        super().__init__(message)
        self.words = words


@dataclass(frozen=True)
class OnnxTensor:
    """An input or output of an ONNX model, batch dimension included."""

    name: str
    triton_type: str
    shape: tuple[int, ...]
    sizes: tuple[str, ...] = ()
    """Names of the open dimensions, in their order; those of an equal name have an equal size. "" has none."""


@dataclass(frozen=True)
class OnnxModel:
    """What is needed of an ONNX file to write Triton's configuration."""

    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]
    batching: Batching | None = None
    """What was found out by running it; None when it was not run."""
    as_declared: bool = True
    """Whether the outputs have the shapes that the file declares."""

    @property
    def open_rows(self) -> bool:
        """Whether the first dimension of every input is open, which is how ONNX says 'any number of instances'."""
        return all(tensor.shape[:1] == (DYNAMIC,) for tensor in self.inputs)

    @property
    def rows(self) -> bool:
        """Whether the first dimension counts instances."""
        if self.batching is not None:
            return self.batching.mode is not Batch.NONE
        return self.open_rows and all(tensor.shape[:1] == (DYNAMIC,) for tensor in self.outputs)

    @property
    def batched(self) -> bool:
        """Whether instances of several requests may share a call."""
        return self.rows and (self.batching is None or self.batching.mode is Batch.JOINED)


def session_of(file: Path, threads: int = 1) -> "onnxruntime.InferenceSession":
    """Load a model.

    Args:
        file: The ONNX file.
        threads: Threads of one inference.

    Returns:
        A session that prints nothing.

    Raises:
        LoadError: It is not an ONNX file, or ONNX Runtime cannot run it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base but this
        raise LoadError(_load_fault(file, onnxruntime.__version__, error), words_of(error)) from error


def inspect(file: Path, session: "onnxruntime.InferenceSession | None" = None) -> OnnxModel:
    """Read the inputs and outputs that a model declares.

    Args:
        file: The ONNX file.
        session: With the model; by default it is loaded.

    Returns:
        Its inputs and outputs.

    Raises:
        ModelError: It cannot be loaded, or it has inputs or outputs that cannot be served.
    """
    session = session or session_of(file)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if not inputs:
        raise ModelError(f"{file} has no inputs, so it would answer every request alike; export it with its inputs")
    return OnnxModel(
        tuple(_tensor(file, "input", node) for node in inputs), tuple(_tensor(file, "output", node) for node in outputs)
    )


def _load_fault(file: Path, version: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if type(error).__name__ in ("InvalidProtobuf", "NoSuchFile") or "Protobuf parsing failed" in text:
        foreign = way_out(file)
        return f"{file} is {foreign or 'not an ONNX model or is damaged; export the model again'}"
    if missing := _WEIGHTS.search(text):
        return (
            f"{file} has its weights in another file, {Path(missing[1]).name}, which is not beside it; copy that file "
            "there too, under the same name"
        )
    if _LOCALE in text:
        name = text.partition(_LOCALE)[2].partition(":")[0]
        return (
            f"{file} compares words by the rules of the locale {name}, which this machine does not have; export it "
            "with the locale C (skl2onnx: options={TfidfVectorizer: {'locale': 'C'}}, and so for CountVectorizer), or "
            f"install the locale (on Debian and Ubuntu: apt-get install locales && localedef -i "
            f"{name.partition('.')[0]} -f UTF-8 {name}); the serving image has en_US.UTF-8"
        )
    if "NOT_IMPLEMENTED" in text or "is not a registered function/op" in text:
        return (
            f"{file} uses an operator that ONNX Runtime {version} does not have; export it with another target_opset, "
            f"or without that operator. ONNX Runtime says: {words_of(error)}"
        )
    if "opset" in text.lower():
        return (
            f"{file} uses an operator set that ONNX Runtime {version} does not know; "
            f"export it with an older target_opset. ONNX Runtime says: {words_of(error)}"
        )
    if "IR version" in text:
        return (
            f"{file} is written in a newer format than ONNX Runtime {version} knows; set model.ir_version to an older "
            f"one before it is saved. ONNX Runtime says: {words_of(error)}"
        )
    return f"ONNX Runtime {version} cannot load {file}; export it again. It says: {words_of(error)}"


def _tensor(file: Path, kind: str, node: Any) -> OnnxTensor:  # noqa: ANN401  ONNX Runtime has no type for it
    if node.type not in TRITON_TYPES:
        advice = (
            "export it with zipmap off (skl2onnx: options={'zipmap': False}; onnxmltools: zipmap=False)"
            if node.type.startswith("seq(map(")
            else "export it with tensors of numbers, booleans or strings"
        )
        raise ModelError(f"{kind} {node.name!r} of {file} has type {node.type}, which cannot be served; {advice}")
    shape = tuple(dim if isinstance(dim, int) and dim >= 0 else DYNAMIC for dim in node.shape)
    named = [dim if isinstance(dim, str) and dim != "?" else "" for dim in node.shape]
    sizes = tuple(name for name, size in zip(named, shape, strict=True) if size == DYNAMIC)
    return OnnxTensor(node.name, TRITON_TYPES[node.type], shape, sizes)
