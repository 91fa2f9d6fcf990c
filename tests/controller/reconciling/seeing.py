"""What one look at the API server shows."""

from datetime import UTC, datetime
from typing import Any

from tests.controller.fakes import NAMESPACE, FakeApi, model

from viridian.api.names import Color
from viridian.controller.children.drift import Drift
from viridian.controller.reconciling.observe import observe
from viridian.kube.resources import (
    Kind,
)
from viridian.rollout.observed import Evidence, Observed

BLUE, GREEN = Color.BLUE, Color.GREEN
IRIS = model()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def seen(api: FakeApi) -> Observed:
    _, observed = await observe(api, IRIS, Evidence(), Drift(api), now=NOW)
    return observed


def live(api: FakeApi, kind: Kind, name: str) -> dict[str, Any]:
    return api.objects[kind, NAMESPACE, name]
