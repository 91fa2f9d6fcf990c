"""LightGBM's own text files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

from viridian_import.messages import Description, Layout, Load, Output, Plan, Role
from viridian_import.readers.model import Original
from viridian_import.readers.versions import versions_of
from viridian_serving.codec.tensors import Kind
from viridian_serving.triton.native_model import Booster

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Booster:
    booster: Any
    description: Description

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original."""
        answering = Booster(self.booster)
        return {
            output.name: np.asarray(getattr(answering, output.method)(frame)).tolist()
            for output in self.description.outputs
        }

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write it as ONNX; see Original."""
        from viridian_import.convert.booster import convert_lightgbm

        del row
        convert_lightgbm(self.booster, self.description, plan, len(kinds), file)

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise: nothing is known; see Original."""
        del frame
        return []


def read(request: Load) -> Original:
    """Load a file of LightGBM; see reading.read()."""
    return of_booster(lightgbm.Booster(model_file=request.path))


def of_booster(booster: Any) -> Original:  # noqa: ANN401
    """Take a booster as a model."""
    objective = str(booster.dump_model(num_iteration=1).get("objective", ""))
    kind, *details = objective.split()
    classes: list[Any] | None = None
    if kind in ("binary", "cross_entropy"):
        classes = [0, 1]
    elif kind in ("multiclass", "multiclassova"):
        classes = list(range(int(next(each for each in details if each.startswith("num_class:"))[10:])))
    names = booster.feature_name()
    invented = all(name == f"Column_{i}" for i, name in enumerate(names))
    outputs = [Output("prediction", Role.NUMBERS, "predict")]
    if classes is not None:
        outputs = [
            Output("label", Role.LABEL, "predict_class"),
            Output("probabilities", Role.PROBABILITIES, "predict_proba"),
        ]
    return _Booster(
        booster,
        Description(
            model=f"Booster ({kind})",
            task="regressor" if classes is None else "classifier",
            outputs=outputs,
            versions=versions_of(["lightgbm"]),
            layouts=[Layout.MATRIX],
            network="",
            classes=classes,
            features=None if invented else names,
            width=len(names),
        ),
    )
