"""The model of this pod, once it is loaded: what predicts with it, and what knows whether it still answers."""

from dataclasses import dataclass
from pathlib import Path

from viridian_serving.contract.baseline_file import Baseline
from viridian_serving.contract.contract import Contract
from viridian_serving.inference.health_check import HealthCheck
from viridian_serving.inference.predictor import Predictor


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """All that the API needs to answer for a model."""

    predictor: Predictor
    health: HealthCheck
    max_body: int
    """Bytes of a body, unpacked, that the model's input may take."""
    baseline: Baseline | None = None
    """The one that lies beside the model, to compare what is served with."""
    home: Path | None = None
    """The model's folder, where it is found."""

    @property
    def contract(self) -> Contract:
        """What its API takes and gives."""
        return self.predictor.model.contract
