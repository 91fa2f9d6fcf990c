"""``sample.json`` beside a model: a body for ``/predict``, for models that do not take made-up inputs."""

from pathlib import Path
from typing import Final

SAMPLE_FILE: Final = "sample.json"


def read_sample(directory: Path) -> bytes | None:
    """Return what the file in a model's directory holds, or None when there is none."""
    try:
        return (directory / SAMPLE_FILE).read_bytes()
    except OSError:
        return None
