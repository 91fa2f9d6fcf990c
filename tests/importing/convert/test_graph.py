"""Names in an ONNX graph."""

import pytest

pytestmark = pytest.mark.importing


def test_inputs_take_names_that_other_values_have() -> None:
    # given a - b, with a value inside that is called as an input shall be
    import numpy as np
    import onnx
    import onnxruntime

    from viridian_import.convert.graph import with_inputs

    make, floats = onnx.helper.make_node, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [make("Neg", ["b"], ["x y"]), make("Add", ["a", "x y"], ["c"])],
        "difference",
        [onnx.helper.make_tensor_value_info(name, floats, [1]) for name in ("a", "b")],
        [onnx.helper.make_tensor_value_info("c", floats, [1])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    # when its inputs change names, and one takes that of the value
    for names in (("b", "a"), ("x y", "a")):
        renamed = with_inputs(onnx.ModelProto.FromString(model.SerializeToString()), names)
        # then it answers as before
        session = onnxruntime.InferenceSession(renamed.SerializeToString(), providers=["CPUExecutionProvider"])
        given = {name: np.array([value], np.float32) for name, value in zip(names, (5, 3), strict=True)}
        assert session.run(None, given)[0].tolist() == [2.0]
