"""Programs of PyTorch, by its own exporter."""

from typing import Any, Final

import onnx
import torch

from viridian_import.convert.estimator import MATRIX
from viridian_import.convert.failures import said
from viridian_import.convert.graph import with_outputs
from viridian_import.faults import ImportFault
from viridian_import.messages import Plan

_OPSET: Final = 18


def convert_torch(exported: Any, module: Any, row: Any, plan: Plan, file: str) -> None:  # noqa: ANN401
    """Write a program as ONNX.

    Args:
        exported: An exported program; None of TorchScript.
        module: The same, or TorchScript, to be called.
        row: A tensor with one row.
        plan: How.
        file: Where to.

    Raises:
        ImportFault: It cannot be converted this way.
    """
    if plan.double or plan.integers:
        raise ImportFault("programs of PyTorch are converted to float32 only")
    two = torch.cat([row, row])
    try:
        if exported is None:
            torch.onnx.export(
                module,
                (two,),
                file,
                input_names=[MATRIX],
                output_names=["made"],
                dynamic_axes={MATRIX: {0: "rows"}, "made": {0: "rows"}},
                dynamo=False,
            )
        else:
            torch.onnx.export(
                exported,
                (two,),
                file,
                input_names=[MATRIX],
                output_names=["made"],
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # what exporters raise has no common base
        raise ImportFault(
            f"the program cannot be exported by torch {torch.__version__} ({said(error)}); export it to ONNX where its "
            "class is, torch.onnx.export(model, (example,), 'model.onnx', dynamo=True), and import that file"
        ) from error
    onnx.save(with_outputs(onnx.load(file), ["prediction"]), file)
