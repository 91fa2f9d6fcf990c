"""Empty files by which the API tells the triton container something, on the volume that both have."""

import logging
from pathlib import Path

LOG = logging.getLogger("viridian.api")


def leave(file: Path, otherwise: str) -> None:
    """Leave one.

    Args:
        file: Where.
        otherwise: What happens where it cannot be written, for the log.
    """
    try:
        file.touch()
    except OSError as error:
        LOG.warning("%s could not be written, so %s: %s", file, otherwise, error)
