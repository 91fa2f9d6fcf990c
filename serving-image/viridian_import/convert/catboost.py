"""Models of CatBoost, by its own exporter."""

from typing import Any

import onnx

from viridian_import.convert.failures import said
from viridian_import.convert.graph import with_outputs
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Plan


def convert_catboost(model: Any, description: Description, plan: Plan, file: str) -> None:  # noqa: ANN401
    """Write a model as ONNX.

    Args:
        model: Of CatBoost, with numeric features.
        description: What it answers.
        plan: How.
        file: Where to.

    Raises:
        ImportFault: It cannot be converted this way.
    """
    if plan.double or plan.integers:
        raise ImportFault("models of CatBoost are converted to float32 only")
    try:
        model.save_model(file, format="onnx")
    except Exception as error:  # what it raises differs by version
        raise ImportFault(
            f"the model cannot be exported to ONNX by CatBoost ({said(error)}); train it with another loss function"
        ) from error
    exported = _with_arrays(onnx.load(file))
    onnx.save(with_outputs(exported, [output.name for output in description.outputs]), file)


def _with_arrays(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let probabilities be an array: without the operator that makes a dictionary of each row."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        graph.node.remove(node)
        for position, output in enumerate(graph.output):
            if output.name == node.output[0]:
                made = onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, [None, None])
                graph.output[position].CopyFrom(made)
    return model
