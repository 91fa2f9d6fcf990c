"""Where a model is, and how to reach it: `spec.model.uri` and `spec.model.store`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from viridian_serving.settings.config import Settings

_NOWHERE = Path("/nonexistent")


@dataclass(frozen=True)
class Source:
    """An address in a store."""

    uri: str
    timeout: float
    """Seconds for all of it."""
    credentials_dir: Path = _NOWHERE
    """The Secret, a file for each key; without it, the environment and the pod's identity count."""
    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None
    anonymous: bool = False
    authorities: Path | None = None
    """Certificates beside the system's."""

    @classmethod
    def of_pod(cls, settings: Settings) -> Self:
        """Return where a pod's model is."""
        return cls(
            settings.model_uri,
            settings.fetch_timeout,
            settings.credentials_dir,
            settings.store_endpoint,
            settings.store_region,
            settings.store_path_style,
            settings.store_anonymous,
            settings.store_ca,
        )
