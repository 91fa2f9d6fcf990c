"""Names of other objects that a spec refers to."""

from typing import Annotated

from pydantic import Field

from .base import ApiModel
from .quantities import cel, matches

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABELS = rf"{LABEL}(\.{LABEL})*"
"""What Kubernetes takes as the name of most objects."""

ObjectName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        json_schema_extra=cel(
            matches(f"^{LABELS}$"), "must be the name of an object: lower-case letters, digits, dashes and dots"
        ),
    ),
]


class SecretRef(ApiModel):
    """A Secret of the model's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret.")]
