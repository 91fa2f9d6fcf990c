"""The libraries that read models, by the kind of file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from viridian_import.messages import Source


@dataclass(frozen=True)
class Library:
    """Who reads a kind of file."""

    name: str
    package: str
    """Whose version is that of the library."""
    saving: str
    """How a model is saved, so that it can be read again."""

    @property
    def damaged(self) -> str:
        """What a file is that it cannot read, as the end of a sentence."""
        return (
            f"damaged, or not a file of {self.name}, or made by another version of its packages: copy it again, or "
            f"install those that made it, and save it again with {self.saving}"
        )


LIBRARIES: Final[Mapping[Source, Library]] = {
    Source.PICKLE: Library("joblib", "joblib", "joblib.dump(model, path)"),
    Source.SKOPS: Library("skops", "skops", "skops.io.dump(model, path)"),
    Source.XGBOOST: Library("XGBoost", "xgboost", "model.save_model(path)"),
    Source.LIGHTGBM: Library("LightGBM", "lightgbm", "booster.save_model(path)"),
    Source.CATBOOST: Library("CatBoost", "catboost", "model.save_model(path)"),
    Source.TORCH: Library("PyTorch", "torch", "torch.export.save(program, path)"),
    Source.KERAS: Library("TensorFlow", "tensorflow", "model.save(path)"),
    Source.HUGGING_FACE: Library(
        "transformers", "transformers", "model.save_pretrained(folder) and tokenizer.save_pretrained(folder)"
    ),
    Source.ONNX: Library("ONNX Runtime", "onnxruntime", "onnx.save(model, path)"),
}
