"""Fields that a user wrote and the API server dropped, because the schema does not know them.

kubectl refuses them, other clients may not, and the stored object does not have them any more. What was applied on the
client's side is kept in an annotation, and there they still are.
"""

import json
from collections.abc import Mapping

from pydantic import ValidationError

from .spec import ModelDeploymentSpec

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Written by kubectl and by Argo CD wherever they do not apply on the server's side."""


def unknown_fields(annotations: Mapping[str, str]) -> list[str]:
    """The paths of fields in the spec that was applied last which no version of it knows, such as `spec.replicas`.

    Args:
        annotations: those of the ModelDeployment; without the one that keeps what was applied, nothing is known.
    """
    try:
        applied = json.loads(annotations.get(LAST_APPLIED, "{}"))
        ModelDeploymentSpec.model_validate(applied.get("spec") or {})
    except ValidationError as error:
        unknown = (one["loc"] for one in error.errors() if one["type"] == "extra_forbidden")
        return [f"spec.{'.'.join(map(str, path))}" for path in unknown]
    except (ValueError, AttributeError):  # somebody else's idea of that annotation
        return []
    return []
