"""Room on the disks that a pod writes to: where one is full, no model can be fetched and no process started."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from viridian_serving.settings.config import Settings
from viridian_shared.counts.metric_names import IDENTITY

FREE: Final = "viridian_disk_free_bytes"
SIZE: Final = "viridian_disk_size_bytes"


def folders(settings: Settings) -> dict[str, Path]:
    """Return the folders of a pod that are on disks of its node, by their names in the metric.

    A claim is left out: nobody writes to it here, and its server could keep whoever asks waiting.
    """
    found = {"tmp": Path("/tmp"), "shm": Path("/dev/shm")}  # noqa: S108  the volumes of the pod
    if settings.is_fetched:
        found["model"] = settings.model_mount
    return found


class DiskGauges(Collector):
    """Renders the room of each folder's disk, as anybody but root may use it."""

    def __init__(self, identity: Sequence[str], watched: Mapping[str, Path]) -> None:
        """Take the values of the pod's labels, and folders by name; one that is not there has no series."""
        self._identity = tuple(identity)
        self._folders = dict(watched)

    def collect(self) -> Iterator[Metric]:
        """Render it."""
        labels = (*IDENTITY, "folder")
        free = GaugeMetricFamily(FREE, "Free bytes of the disk that a folder is on", labels=labels)
        size = GaugeMetricFamily(SIZE, "Size of that disk", labels=labels)
        for name, folder in self._folders.items():
            try:
                found = os.statvfs(folder)
            except FileNotFoundError:
                continue
            free.add_metric((*self._identity, name), found.f_bavail * found.f_frsize)
            size.add_metric((*self._identity, name), found.f_blocks * found.f_frsize)
        yield free
        yield size
