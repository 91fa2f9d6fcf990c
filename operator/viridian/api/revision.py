"""A revision: what the user asked for, and the pod template that was rendered from it once."""

from dataclasses import dataclass
from typing import Any

from .base import ApiModel
from .model import ModelSource
from .serving import Serving
from .spec import ModelDeploymentSpec


class RevisionInput(ApiModel):
    """The part of a spec that makes a revision; two revisions are the same when their inputs are equal."""

    model: ModelSource
    serving: Serving

    @classmethod
    def of(cls, spec: ModelDeploymentSpec) -> "RevisionInput":
        """Take from a spec what needs new pods; `changes` and the number of pods do not."""
        return cls(
            model=spec.model.model_copy(update={"changes": ""}),
            serving=spec.serving.model_copy(update={"replicas": 1, "autoscaling": None}),
        )


@dataclass(frozen=True)
class Revision:
    """A revision as it is stored: rendered, so that neither a newer spec nor a newer operator changes its pods."""

    name: str
    number: int
    input: RevisionInput
    template: dict[str, Any]

    @property
    def version(self) -> str:
        """The model's version, for people."""
        return self.input.model.version
