"""What the API of this pod takes and gives: the model's own inputs and outputs, and what schema.yaml makes of them."""

from dataclasses import dataclass

from viridian_serving.codec.answers import AnswerSchema
from viridian_serving.codec.features import RequestSchema, Slot
from viridian_serving.codec.tensors import ModelSchema


@dataclass(frozen=True)
class Contract:
    """Both sides of the API."""

    model: ModelSchema
    requests: RequestSchema
    answers: AnswerSchema
    raw: bool = True
    """Whether the inference protocol is open beside /predict."""
    max_age: int = 0
    """Seconds for which an answer to GET may be taken from a cache without asking."""
    description: str = ""

    @classmethod
    def derived(cls, model: ModelSchema) -> "Contract":
        """Make the contract of a model without a schema.yaml.

        Args:
            model: What it takes and gives.
        """
        return cls(model, RequestSchema.of(model), AnswerSchema.recognised(model.outputs))

    @property
    def fingerprint(self) -> str:
        """``sha256:…``, equal for two pods that take the same requests."""
        return self.requests.fingerprint if self.requests.declared else self.model.input_fingerprint

    @property
    def slots(self) -> tuple[Slot, ...]:
        """How each input of the model is made; out of no feature where preprocess.py makes it."""
        return self.requests.slots or tuple(Slot(tensor, ()) for tensor in self.model.inputs)

    @property
    def preprocessed(self) -> bool:
        """Whether preprocess.py makes the model's inputs."""
        return not self.requests.slots
