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
            rename(graph, name, _free(name, inputs | inner))
            rename(graph, output.name, name)
            output.name = name
    del graph.output[:]
    graph.output.extend(kept)
    return model


def with_inputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Call the inputs of a model by these names.

    Args:
        model: It is changed.
        names: One for each input, in their order.

    Returns:
        The model.
    """
    graph = model.graph
    taken = {value for node in graph.node for value in (*node.input, *node.output)} | set(names)
    for each in graph.input:  # away from the names, which may be those of others now
        taken.add(name := _free(each.name, taken))
        rename(graph, each.name, name)
        each.name = name
    for name in names:
        rename(graph, name, _free(name, taken))
    for each, name in zip(graph.input, names, strict=True):
        rename(graph, each.name, name)
        each.name = name
    return model


def without_erfc(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write the complement of the error function, which ONNX lacks and Keras' gelu is made of, as 1 - Erf.

    Args:
        model: It is changed; its numbers have 32 bits.

    Returns:
        The model.
    """
    make = onnx.helper.make_node
    nodes = []
    for position, node in enumerate(model.graph.node):
        if node.op_type == "Erfc":
            one, inner = f"erfc{position}_one", f"erfc{position}_erf"
            model.graph.initializer.append(onnx.helper.make_tensor(one, onnx.TensorProto.FLOAT, [], [1.0]))
            nodes += [make("Erf", [node.input[0]], [inner]), make("Sub", [one, inner], [node.output[0]])]
        else:
            nodes.append(node)
    return with_nodes(model, nodes)


def unknown_operators(model: onnx.ModelProto) -> list[str]:
    """Return the operators of a model's graph that ONNX does not have, in their order."""
    own = (node.op_type for node in model.graph.node if not node.domain)
    return list(dict.fromkeys(name for name in own if not onnx.defs.has(name)))


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Call a value by another name, where nodes make it and where they read it."""
    for node in graph.node:
        for values in (node.input, node.output):
            for position, value in enumerate(values):
                if value == old:
                    values[position] = new
    for declared in graph.initializer:
        if declared.name == old:
            declared.name = new


def with_missing_zeros(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn zeros that trees are given into NaN, which is how they know missing values.

    Args:
        model: It is changed.

    Returns:
        The model.
    """
    make = onnx.helper.make_node
    nodes = []
    for position, node in enumerate(model.graph.node):
        if node.op_type.startswith("TreeEnsemble"):
            given, prefix = node.input[0], f"{node.input[0]}_tree{position}"
            for name, value in (("zero", 0.0), ("nan", float("nan"))):
                constant = onnx.helper.make_tensor(f"{prefix}_{name}32", onnx.TensorProto.FLOAT, [1], [value])
                model.graph.initializer.append(constant)
                nodes.append(make("CastLike", [constant.name, given], [f"{prefix}_{name}"]))
            nodes.append(make("Equal", [given, f"{prefix}_zero"], [f"{prefix}_absent"]))
            nodes.append(make("Where", [f"{prefix}_absent", f"{prefix}_nan", given], [f"{prefix}_given"]))
            node.input[0] = f"{prefix}_given"
        nodes.append(node)
    return with_nodes(model, nodes)


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
        if node.op_type == "TreeEnsembleRegressor":
            # It answers with 32 bits whatever it is given, which the converter of XGBoost does not declare.
            for output in model.graph.output:
                if output.name in node.output:
                    output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        nodes.append(node)
    return with_nodes(model, nodes)


def with_nodes(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto]) -> onnx.ModelProto:
    """Replace the nodes of a model.

    Args:
        model: It is changed.
        nodes: The new ones, in their order; the model's may be among them.

    Returns:
        The model.
    """
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    return model
