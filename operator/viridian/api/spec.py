"""What a user writes: the spec of a ModelDeployment."""

from typing import Annotated

from pydantic import Field

from .base import ApiModel
from .guards import Guards
from .model import ModelSource
from .rollout import Rollout
from .serving import Serving
from .traffic import Traffic


class ModelDeploymentSpec(ApiModel):
    """A machine-learning model, how it is served, and how a new version takes over."""

    model: Annotated[ModelSource, Field(description="Which model to serve.")]
    serving: Annotated[Serving, Field(description="How the model is served.")] = Serving()
    traffic: Annotated[Traffic, Field(description="Where requests come from.")]
    rollout: Annotated[Rollout, Field(description="How a new revision takes over.")] = Rollout()
    guards: Annotated[Guards, Field(description="When a candidate is turned back.")] = Guards()
    revision_history_limit: Annotated[
        int, Field(ge=1, le=50, description="Old revisions to keep beside those in use.")
    ] = 5
