"""A revision: what the user asked for, and the pod template that was rendered from it once."""

from dataclasses import dataclass
from typing import Any

from pydantic import field_validator

from .base import ApiModel
from .model import ModelSource
from .serving import Serving
from .spec import ModelDeploymentSpec


class RevisionInput(ApiModel):
    """The part of a spec that makes a revision; two revisions are the same when their inputs are equal."""

    model: ModelSource
    serving: Serving

    @field_validator("model")
    @classmethod
    def _without_words(cls, model: ModelSource) -> ModelSource:
        return model.model_copy(update={"changes": ""})

    @field_validator("serving")
    @classmethod
    def _without_what_needs_no_pods(cls, serving: Serving) -> Serving:
        reloaded = {"cache": None, "rate_limit": None, "log": None}
        return serving.model_copy(update={"replicas": 1, "autoscaling": None, **reloaded})

    @classmethod
    def of(cls, spec: ModelDeploymentSpec) -> "RevisionInput":
        """Take from a spec what needs new pods; `changes`, the number of pods and what they reload do not."""
        return cls(model=spec.model, serving=spec.serving)

    @classmethod
    def read(cls, stored: object) -> "RevisionInput":
        """Read a stored input by today's models; fields that a newer operator added to it are left out.

        Raises:
            ValidationError: today's models do not accept it.
        """
        return cls.model_validate(stored, extra="ignore")


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
