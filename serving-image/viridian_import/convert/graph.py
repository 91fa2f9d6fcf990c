"""Changes to an ONNX graph after it was made."""

from collections.abc import Sequence

import onnx


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Keep the first outputs of a model, by these names.

    Args:
        model: It is changed.
        names: One for each output that is kept, in their order. One that an input has gets an underscore.

    Returns:
        The model.
    """
    graph = model.graph
    kept = list(graph.output)[: len(names)]
    inputs = {each.name for each in graph.input}
    inner = {value for node in graph.node for value in (*node.input, *node.output)}
    for output, wanted in zip(kept, names, strict=True):
        name = _free(wanted, inputs)
        if output.name != name:
            _rename(graph, name, _free(name, inputs | inner))
            _rename(graph, output.name, name)
            output.name = name
    del graph.output[:]
    graph.output.extend(kept)
    return model


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for values in (node.input, node.output):
            for position, value in enumerate(values):
                if value == old:
                    values[position] = new
    for declared in graph.initializer:
        if declared.name == old:
            declared.name = new


def with_rounded_trees(model: onnx.ModelProto) -> onnx.ModelProto:
    """Round what trees compare to 32 bits, and let them compare 64.

    That is what scikit-learn's trees and XGBoost do: their rows have 32 bits, whatever came before.

    Args:
        model: It is changed. What its trees are given has 64 bits.

    Returns:
        The model.
    """
    nodes = []
    for position, node in enumerate(model.graph.node):
        if node.op_type.startswith("TreeEnsemble"):
            short, long = f"{node.input[0]}_tree{position}_short", f"{node.input[0]}_tree{position}_long"
            nodes.append(onnx.helper.make_node("Cast", [node.input[0]], [short], to=onnx.TensorProto.FLOAT))
            nodes.append(onnx.helper.make_node("Cast", [short], [long], to=onnx.TensorProto.DOUBLE))
            node.input[0] = long
        nodes.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    return model
