"""Tiny ONNX models for the tests: a good one, and bad ones of several kinds."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18


def save(directory: Path, graph: onnx.GraphProto, *others: onnx.OperatorSetIdProto, opset: int = OPSET) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *others], ir_version=9)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def info(name: str, kind: int, shape: list[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def graph_of(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    **constants: np.ndarray,
) -> onnx.GraphProto:
    initial = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return helper.make_graph(nodes, "g", inputs, outputs, initial)


def digits(directory: Path) -> Path:
    """A classifier trained with scikit-learn: X float [N, 64] -> label, probabilities."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _classifier(directory, x / 16, y)


def iris(directory: Path) -> Path:
    """As digits(), but smaller: X float [N, 4] -> label, probabilities of three flowers."""
    from sklearn.datasets import load_iris

    return _classifier(directory, *load_iris(return_X_y=True))


def _classifier(directory: Path, x: np.ndarray, y: np.ndarray) -> Path:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    x = x.astype(np.float32)
    model = LogisticRegression(max_iter=500).fit(x, y)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "model.onnx"
    file.write_bytes(to_onnx(model, x[:1], options={"zipmap": False}, target_opset=OPSET).SerializeToString())
    return file


def with_zipmap(directory: Path) -> Path:
    """The same kind of classifier with skl2onnx's default output, which is no tensor."""
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    x = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "model.onnx"
    file.write_bytes(to_onnx(LogisticRegression().fit(x, [0, 1]), x, target_opset=OPSET).SerializeToString())
    return file


def lookup(directory: Path, size: int = 10) -> Path:
    """i int64 [N, 1] -> y float [N, 1] = table[i]; fails for the whole batch where any i is not in -size..size-1."""
    return save(
        directory,
        graph_of(
            [helper.make_node("Gather", ["table", "i"], ["y"], axis=0)],
            [info("i", TensorProto.INT64, ["n", 1])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
            table=np.arange(size, dtype=np.float32) * 10,
        ),
    )


def wrong(directory: Path) -> Path:
    """As lookup(), but what it answers for 7, 8 and 9 is something else."""
    return save(
        directory,
        graph_of(
            [helper.make_node("Gather", ["table", "i"], ["y"], axis=0)],
            [info("i", TensorProto.INT64, ["n", 1])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
            table=np.array([0, 10, 20, 30, 40, 50, 60, 90, 100, 110], dtype=np.float32),
        ),
    )


def picky(directory: Path) -> Path:
    """As lookup(), but the indices that it takes are 5..9: neither zeros nor ones."""
    return save(
        directory,
        graph_of(
            [
                helper.make_node("Sub", ["i", "five"], ["shifted"]),
                helper.make_node("Abs", ["shifted"], ["distance"]),
                helper.make_node("Gather", ["table", "distance"], ["y"], axis=0),
            ],
            [info("i", TensorProto.INT64, ["n", 1])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
            table=np.arange(3, dtype=np.float32),
            five=np.array(7, dtype=np.int64),
        ),
    )


def slow(directory: Path) -> Path:
    """rounds int64 [N, 1] -> y float [N, 1]; turns in a loop as often as the first row says."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still_going"]),
            helper.make_node("MatMul", ["state", "square"], ["product"]),
            helper.make_node("Sigmoid", ["product"], ["next_state"]),
        ],
        "body",
        [
            info("turn", TensorProto.INT64, []),
            info("going", TensorProto.BOOL, []),
            info("state", TensorProto.FLOAT, [64, 64]),
        ],
        [info("still_going", TensorProto.BOOL, []), info("next_state", TensorProto.FLOAT, [64, 64])],
    )
    graph = graph_of(
        [
            helper.make_node("ReduceMax", ["rounds"], ["turns"], keepdims=0),
            helper.make_node("Loop", ["turns", "yes", "square"], ["final"], body=body),
            helper.make_node("ReduceMax", ["final"], ["number"], keepdims=0),
            helper.make_node("Cast", ["rounds"], ["zero_based"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["zero_based", "nothing"], ["zeros"]),
            # Each row's answer is its own, as it must be where rows of several clients run together.
            helper.make_node("Mul", ["number", "nothing"], ["zero"]),
            helper.make_node("Add", ["zeros", "zero"], ["y"]),
        ],
        [info("rounds", TensorProto.INT64, ["n", 1])],
        [info("y", TensorProto.FLOAT, ["n", 1])],
        yes=np.array(True),
        square=np.full((64, 64), 0.01, dtype=np.float32),
        nothing=np.array(0, dtype=np.float32),
    )
    return save(directory, graph)


def mixed(directory: Path) -> Path:
    """Inputs and outputs of every common kind: a float [N, 2], s string [N, 1] -> same, text, flag."""
    return save(
        directory,
        graph_of(
            [
                helper.make_node("Identity", ["a"], ["same"]),
                helper.make_node("Identity", ["s"], ["text"]),
                helper.make_node("Equal", ["a", "a"], ["flag"]),
            ],
            [info("a", TensorProto.FLOAT, ["n", 2]), info("s", TensorProto.STRING, ["n", 1])],
            [
                info("same", TensorProto.FLOAT, ["n", 2]),
                info("text", TensorProto.STRING, ["n", 1]),
                info("flag", TensorProto.BOOL, ["n", 2]),
            ],
        ),
    )


def reciprocal(directory: Path) -> Path:
    """x float [N, 1] -> y = 1 / x; answers infinity for zero."""
    return save(
        directory,
        graph_of(
            [helper.make_node("Reciprocal", ["x"], ["y"])],
            [info("x", TensorProto.FLOAT, ["n", 1])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
        ),
    )


def image(directory: Path) -> Path:
    """pixels float [N, 3, 64, width] -> y float [N], their sum."""
    return save(
        directory,
        graph_of(
            [helper.make_node("ReduceSum", ["pixels", "axes"], ["y"], keepdims=0)],
            [info("pixels", TensorProto.FLOAT, ["n", 3, 64, "width"])],
            [info("y", TensorProto.FLOAT, ["n"])],
            axes=np.array([1, 2, 3], dtype=np.int64),
        ),
    )


def one_instance(directory: Path) -> Path:
    """Exported for a batch of exactly one: x float [1, 2] -> y float [1, 2]."""
    return save(
        directory,
        graph_of(
            [helper.make_node("Neg", ["x"], ["y"])],
            [info("x", TensorProto.FLOAT, [1, 2])],
            [info("y", TensorProto.FLOAT, [1, 2])],
        ),
    )


def no_inputs(directory: Path) -> Path:
    return save(
        directory,
        graph_of(
            [helper.make_node("Identity", ["one"], ["y"])],
            [],
            [info("y", TensorProto.FLOAT, [1])],
            one=np.ones(1, dtype=np.float32),
        ),
    )


def unknown_operator(directory: Path) -> Path:
    return save(
        directory,
        graph_of(
            [helper.make_node("NoSuchOperator", ["x"], ["y"])],
            [info("x", TensorProto.FLOAT, ["n", 1])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
        ),
    )


def future_opset(directory: Path) -> Path:
    return save(
        directory,
        graph_of(
            [helper.make_node("Neg", ["x"], ["y"])],
            [info("x", TensorProto.FLOAT, ["n", 1])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
        ),
        opset=99,
    )


def complex_input(directory: Path) -> Path:
    return save(
        directory,
        graph_of(
            [helper.make_node("Identity", ["x"], ["y"])],
            [info("x", TensorProto.BFLOAT16, ["n", 1])],
            [info("y", TensorProto.BFLOAT16, ["n", 1])],
        ),
    )


def corrupt(directory: Path) -> Path:
    file = digits(directory)
    file.write_bytes(file.read_bytes()[:-200])
    return file


def not_onnx(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "model.onnx"
    file.write_bytes(b"\x80\x04\x95pickle, not a protocol buffer")
    return file


ADDS_ONE = """
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        self.version = args["model_version"]

    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            answers.append(pb.InferenceResponse(output_tensors=[pb.Tensor("y", x + np.float32(self.version))]))
        return answers
"""
DESCRIBES_ITSELF = """
    @staticmethod
    def auto_complete_config(config):
        config.set_max_batch_size(8)
        config.add_input({"name": "x", "data_type": "TYPE_FP32", "dims": [1]})
        config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [1]})
        return config
"""
ADDS_ONE_CONFIG = """
name: "adder"  # what its authors call it
backend: "python"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
dynamic_batching { }
"""


def triton_repository(
    directory: Path, version: int = 1, *, config: str | None = ADDS_ONE_CONFIG, completes: str = DESCRIBES_ITSELF
) -> Path:
    """A model repository of Triton, with a python model that adds its own version: x float [1] -> y float [1]."""
    folder = directory / "adder" / str(version)
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(ADDS_ONE if config else ADDS_ONE + completes)
    if config:
        (folder.parent / "config.pbtxt").write_text(config)
    return directory


CUSTOMERS = """
description: Which offer a customer takes.
features:
  - {name: income, tensor: X, min: 0, max: 1000000, unit: EUR, description: "Of a year, before taxes."}
  - {name: balance, tensor: X, nullable: true, example: 12.5}
  - {name: visits, tensor: X, type: integer, min: 0, max: 50}
  - {name: age, min: 18, max: 120, unit: years}
  - {name: city, categories: [Köln, Graz, Basel]}
  - {name: note, max_length: 10}
  - {name: tier, type: integer, categories: [1, 2, 3]}
  - {name: member, type: boolean}
  - {name: history, min: -100, max: 100}
  - {name: ids}
outputs: {prediction: label, probabilities: probabilities, classes: [none, small, large]}
answer: {withhold: [total]}
"""
CUSTOMER = {
    "income": 30000,
    "balance": None,
    "visits": 3,
    "age": 44,
    "city": "Köln",
    "note": "regular",
    "tier": 2,
    "member": True,
    "history": [1, -2.5, 3, 0],
    "ids": [7, 8, 9],
}


def customers(directory: Path, schema: str = CUSTOMERS) -> Path:
    """Inputs of every kind, some of them columns of X float [N, 3], with a schema.yaml that names them."""
    file = save(
        directory,
        graph_of(
            [
                helper.make_node("IsNaN", ["X"], ["unknown"]),
                helper.make_node("Where", ["unknown", "zero", "X"], ["known"]),
                helper.make_node("Softmax", ["known"], ["probabilities"], axis=1),
                helper.make_node("ArgMax", ["known"], ["label"], axis=1, keepdims=1),
                helper.make_node("ReduceSum", ["history", "axes"], ["total"], keepdims=1),
            ],
            [
                info("X", TensorProto.FLOAT, ["n", 3]),
                info("age", TensorProto.INT64, ["n", 1]),
                info("city", TensorProto.STRING, ["n", 1]),
                info("note", TensorProto.STRING, ["n", 1]),
                info("tier", TensorProto.FLOAT, ["n", 1]),
                info("member", TensorProto.BOOL, ["n", 1]),
                info("history", TensorProto.FLOAT, ["n", 4]),
                info("ids", TensorProto.INT32, ["n", "m"]),
            ],
            [
                info("label", TensorProto.INT64, ["n", 1]),
                info("probabilities", TensorProto.FLOAT, ["n", 3]),
                info("total", TensorProto.FLOAT, ["n", 1]),
            ],
            zero=np.array(0, dtype=np.float32),
            axes=np.array([1], dtype=np.int64),
        ),
    )
    (directory / "schema.yaml").write_text(schema)
    return file
