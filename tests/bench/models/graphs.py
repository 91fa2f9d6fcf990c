"""Small models of one trait each, as exporters write them."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_FLOAT = TensorProto.FLOAT
_ML = "ai.onnx.ml"
_RANDOM = np.random.default_rng(0)
_Dims = Sequence[int | str | None]
_Declared = tuple[str, int, _Dims | None]


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Make them."""
    yield "time-major-lstm", _recurrent("LSTM", ["seq", 1, 3], 4)
    yield "time-major-gru", _recurrent("GRU", ["seq", 1, 3], 3)
    yield "time-major-rnn-of-batches", _recurrent("RNN", ["seq", "batch", 3], 1)
    yield "softmax-over-rows", _one("Softmax", ["n", 4], axis=0)
    yield (
        "centred-by-all-rows",
        _of(
            [helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0]), helper.make_node("Sub", ["x", "mean"], ["y"])],
            [("x", _FLOAT, ["n", 4])],
            [("y", _FLOAT, ["n", 4])],
        ),
    )
    yield (
        "own-row-count",
        _of(
            [helper.make_node("NonZero", ["x"], ["t"]), helper.make_node("Transpose", ["t"], ["y"])],
            [("x", _FLOAT, ["n", 4])],
            [("y", TensorProto.INT64, ["found", 2])],
        ),
    )
    yield (
        "loss-of-all-rows",
        _of(
            [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("ReduceSum", ["x"], ["loss"], keepdims=0)],
            [("x", _FLOAT, ["n", 4])],
            [("y", _FLOAT, ["n", 4]), ("loss", _FLOAT, [])],
        ),
    )
    yield "dynamic-quantization", _quantized()
    yield (
        "random-numbers",
        _of(
            [helper.make_node("RandomNormalLike", ["x"], ["r"]), helper.make_node("Mul", ["r", "x"], ["y"])],
            [("x", _FLOAT, ["n", 4])],
            [("y", _FLOAT, ["n", 4])],
        ),
    )
    yield (
        "never-a-number",
        _of(
            [helper.make_node("Sub", ["x", "x"], ["zero"]), helper.make_node("Div", ["zero", "zero"], ["y"])],
            [("x", _FLOAT, ["n", 2])],
            [("y", _FLOAT, ["n", 2])],
        ),
    )
    yield from _sizes()
    yield from _declarations()
    yield from _types()


def of_positive(axis: int) -> onnx.ModelProto:
    """Make a model that has an answer for positive numbers only, and sums them up along an axis."""
    return _of(
        [helper.make_node("Log", ["x"], ["l"]), helper.make_node("CumSum", ["l", "axis"], ["y"])],
        [("x", _FLOAT, ["n", 2])],
        [("y", _FLOAT, ["n", 2])],
        axis=np.array(axis),
    )


def of_size(size: int) -> onnx.ModelProto:
    """Make a model that takes one size, and says that any will do."""
    return _of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [("x", _FLOAT, ["n", 3, "size"])],
        [("y", _FLOAT, ["n", 3, 4])],
        w=np.ones((size, 4), np.float32),
    )


def _sizes() -> Iterator[tuple[str, onnx.ModelProto]]:
    weights = np.ones((8, 3, 3, 3), np.float32)
    yield (
        "open-image-size",
        _of(
            [helper.make_node("Conv", ["x", "w"], ["y"])],
            [("x", _FLOAT, ["batch", 3, "height", "width"])],
            [("y", _FLOAT, ["batch", 8, "h", "w"])],
            w=weights,
        ),
    )
    yield (
        "open-sound-size",
        _of(
            [helper.make_node("Conv", ["x", "w"], ["y"], strides=[160])],
            [("x", _FLOAT, ["batch", 1, "samples"])],
            [("y", _FLOAT, ["batch", 4, "frames"])],
            w=np.ones((4, 1, 400), np.float32),
        ),
    )
    yield (
        "image-of-640",
        _of(
            [helper.make_node("GlobalAveragePool", ["x"], ["y"])],
            [("x", _FLOAT, [1, 3, 640, 640])],
            [("y", _FLOAT, [1, 3, 1, 1])],
        ),
    )
    yield (
        "divides-by-its-input",
        _of(
            [helper.make_node("Div", ["x", "z"], ["y"])],
            [("x", TensorProto.INT32, ["n", 2]), ("z", TensorProto.INT32, ["n", 2])],
            [("y", TensorProto.INT32, ["n", 2])],
        ),
    )
    yield (
        "two-sequences",
        _of(
            [helper.make_node("Add", ["ids", "mask"], ["sum"]), helper.make_node("ReduceSum", ["sum", "axes"], ["y"])],
            [("ids", TensorProto.INT64, ["batch", "length"]), ("mask", TensorProto.INT64, ["batch", "length"])],
            [("y", TensorProto.INT64, ["batch", 1])],
            axes=np.array([1]),
        ),
    )


def _declarations() -> Iterator[tuple[str, onnx.ModelProto]]:
    yield (
        "scalar-input",
        _of(
            [helper.make_node("Mul", ["x", "rate"], ["y"])],
            [("x", _FLOAT, ["n", 4]), ("rate", _FLOAT, [])],
            [("y", _FLOAT, ["n", 4])],
        ),
    )
    yield "only-a-scalar", _of([helper.make_node("Neg", ["x"], ["y"])], [("x", _FLOAT, [])], [("y", _FLOAT, [])])
    # As converters of boosted trees declare it, whatever the number of rows.
    classes = {"classlabels_ints": [0, 1], "coefficients": [1.0, -1.0], "intercepts": [0.0, 0.5]}
    yield (
        "wrongly-declared-output",
        _of(
            [helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain=_ML, **classes)],
            [("x", _FLOAT, ["n", 1])],
            [("label", TensorProto.INT64, [1]), ("scores", _FLOAT, ["n", 2])],
        ),
    )
    yield "bare-column", _one("Neg", ["n"])
    yield "fixed-batch-of-8", _one("Neg", [8, 2])
    for number, name in enumerate(('say "hi"', "back\\slash", "new\nline", "größe", "x" * 300)):
        yield (
            f"unusual-name-{number + 1}",
            _of([helper.make_node("Relu", [name], ["y"])], [(name, _FLOAT, ["n", 2])], [("y", _FLOAT, ["n", 2])]),
        )


def _types() -> Iterator[tuple[str, onnx.ModelProto]]:
    for name in ("FLOAT16", "DOUBLE", "INT8", "UINT8", "INT64", "BOOL", "STRING"):
        kind = TensorProto.DataType.Value(name)
        yield (
            f"type-{name}",
            _of([helper.make_node("Identity", ["x"], ["y"])], [("x", kind, ["n", 3])], [("y", kind, ["n", 3])]),
        )
    for name in ("BFLOAT16", "COMPLEX64"):
        kind = TensorProto.DataType.Value(name)
        yield (
            f"type-{name}",
            _of([helper.make_node("Identity", ["x"], ["y"])], [("x", kind, ["n", 3])], [("y", kind, ["n", 3])]),
        )
    yield "newer-opset", _one("Neg", ["n", 2], opset=40)
    yield "no-inputs", _of([helper.make_node("Identity", ["one"], ["y"])], [], [("y", _FLOAT, [1])], one=np.ones(1))


def _recurrent(operator: str, dims: _Dims, gates: int) -> onnx.ModelProto:
    hidden = 4
    return _of(
        [
            helper.make_node(operator, ["x", "W", "R"], ["all"], hidden_size=hidden),
            helper.make_node("Squeeze", ["all", "one"], ["y"]),
        ],
        [("x", _FLOAT, dims)],
        [("y", _FLOAT, [*dims[:2], hidden])],
        W=_RANDOM.normal(size=(1, gates * hidden, 3)).astype(np.float32),
        R=_RANDOM.normal(size=(1, gates * hidden, hidden)).astype(np.float32),
        one=np.array([1]),
    )


def _quantized() -> onnx.ModelProto:
    return _of(
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
            helper.make_node("MatMul", ["d", "w"], ["y"]),
        ],
        [("x", _FLOAT, ["n", 16])],
        [("y", _FLOAT, ["n", 4])],
        w=_RANDOM.normal(size=(16, 4)).astype(np.float32),
    )


def _one(operator: str, dims: _Dims, *, opset: int = 17, **attributes: int) -> onnx.ModelProto:
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    return _of([node], [("x", _FLOAT, dims)], [("y", _FLOAT, dims)], opset=opset)


def _of(
    nodes: list[onnx.NodeProto],
    inputs: list[_Declared],
    outputs: list[_Declared],
    opset: int = 17,
    **constants: np.ndarray,
) -> onnx.ModelProto:
    initial = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    made = [[helper.make_tensor_value_info(*each) for each in declared] for declared in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *made, initial)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(_ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)
