"""CatBoost's own files, of numeric features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import catboost
import numpy as np

from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Load, Output, Plan, Role
from viridian_import.readers.versions import versions_of
from viridian_serving.codec.tensors import Kind

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _CatBoost:
    model: Any
    description: Description

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original."""
        given = frame.to_numpy()
        if self.description.classes is None:
            return {"prediction": np.asarray(self.model.predict(given)).tolist()}
        labels = np.asarray(self.model.predict(given, prediction_type="Class")).reshape(len(frame))
        chances = np.asarray(self.model.predict(given, prediction_type="Probability"))
        return {"label": labels.tolist(), "probabilities": chances.tolist()}

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write it as ONNX; see Original."""
        from viridian_import.convert.catboost import convert_catboost

        del kinds, row
        convert_catboost(self.model, self.description, plan, file)

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise: nothing is known; see Original."""
        del frame
        return []


def read(request: Load) -> _CatBoost:
    """Load a file of CatBoost; see reading.read()."""
    model = catboost.CatBoost()
    model.load_model(request.path)
    if others := [*model.get_cat_feature_indices(), *model.get_text_feature_indices()]:
        named = ", ".join(str(model.feature_names_[i]) for i in others)
        raise ImportFault(
            f"{request.path} has categories or texts as features ({named}), which CatBoost does not export to ONNX; "
            "encode them as numbers before it, in a pipeline of scikit-learn, and train again"
        )
    names = [str(name) for name in model.feature_names_]
    classes = [each.item() if hasattr(each, "item") else each for each in model.classes_]
    outputs = [Output("prediction", Role.NUMBERS, "predict")]
    if classes:
        outputs = [Output("label", Role.LABEL, "predict"), Output("probabilities", Role.PROBABILITIES, "predict")]
    return _CatBoost(
        model,
        Description(
            model=f"CatBoost ({model.get_all_params().get('loss_function', 'trees')})",
            task="classifier" if classes else "regressor",
            outputs=outputs,
            versions=versions_of(["catboost"]),
            layouts=[Layout.MATRIX],
            network="",
            classes=classes or None,
            features=None if names == [str(i) for i in range(len(names))] else names,
            width=len(names),
        ),
    )
