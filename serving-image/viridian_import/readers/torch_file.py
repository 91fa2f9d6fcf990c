"""PyTorch: exported programs (.pt2) and TorchScript (.pt), which take rows of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Load, Output, Plan, Role
from viridian_import.readers.versions import versions_of
from viridian_serving.artifacts.library_words import words_of
from viridian_serving.codec.tensors import Kind

if TYPE_CHECKING:
    import pandas as pd

_EXPORT = (
    "torch.export.save(torch.export.export(model.eval(), (example,), dynamic_shapes=({0: torch.export.Dim('rows')},)), "
    "'model.pt2'), with an example of two rows"
)


@dataclass(frozen=True)
class _Program:
    module: Any
    exported: Any
    """The exported program; None of TorchScript."""
    description: Description

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original."""
        return {"prediction": self._answered(_tensor(frame)).reshape(len(frame), -1).squeeze(1).tolist()}

    def _answered(self, given: Any) -> Any:  # noqa: ANN401
        with torch.no_grad():
            answered = self.module(given)
        if not isinstance(answered, torch.Tensor):
            raise TypeError("the program answers something else than one tensor; let it return one")
        return answered

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write it as ONNX; see Original."""
        from viridian_import.convert.torch_program import convert_torch

        del kinds
        convert_torch(self.exported, self.module, _tensor(row), plan, file)

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise: nothing is known; see Original."""
        del frame
        return []


def read(request: Load) -> _Program:
    """Load a program; see reading.read()."""
    path = request.path
    torch.set_num_threads(1)
    try:
        exported = torch.export.load(path) if path.endswith(".pt2") else None
        module = torch.jit.load(path, map_location="cpu").eval() if exported is None else exported.module()
    except Exception as error:  # noqa: BLE001  what torch raises has no common base
        raise ImportFault(
            f"{path} is no exported program and no TorchScript that torch {torch.__version__} can load "
            f"({words_of(error)}); a file of weights needs the class of its model: load both, and write {_EXPORT}"
        ) from None
    return _Program(
        module,
        exported,
        Description(
            model="exported program of PyTorch" if exported is not None else "TorchScript",
            task="model",
            outputs=[Output("prediction", Role.NUMBERS, "forward")],
            versions=versions_of(["torch"]),
            layouts=[Layout.MATRIX],
            network="",
        ),
    )


def _tensor(frame: "pd.DataFrame") -> Any:  # noqa: ANN401
    return torch.from_numpy(frame.to_numpy().astype("float32"))
