"""Days of recorded series, as blocks of Prometheus' storage, so that long windows have what to read."""

import math
import subprocess
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tests.component.harness.binaries import tool

from viridian.monitoring.groups import files
from viridian.monitoring.rule import Recording

DAYS = 3
_LEVELS = {"model": ("model_namespace", "model")}
RATES = {"requests": 10.0, "errors": 0.01, "slow": 0.1}
"""Of each model, a second."""


def intervals() -> dict[str, float]:
    """Seconds between two samples of the recorded series that the long windows read, by name."""
    found = {}
    for groups in files().values():
        for group in groups:
            for rule in group.rules:
                if isinstance(rule, Recording) and rule.name.startswith("model:viridian_") and "5m" in rule.name:
                    found[rule.name] = group.interval.total_seconds()
    return {name: step for name, step in found.items() if name.split(":")[1].removeprefix("viridian_") in RATES}


def lines(models: int, until: float) -> Iterator[str]:
    """The samples in the text form of OpenMetrics, series by series."""
    for name, step in intervals().items():
        what, end = name.split(":")[1].removeprefix("viridian_"), name.split(":")[2]
        if not end.startswith(("rate5m", "increase5m")):
            continue
        value = RATES[what] * (300 if end.startswith("increase") else 1)
        yield f"# TYPE {name} gauge"
        for model in range(models):
            le = ',le="0.5"' if what == "slow" else ""
            labels = f'{{model_namespace="team-{model % 20}",model="model-{model:05}"{le}}}'
            begin = until - DAYS * 86400
            for number in range(math.floor((until - begin) / step)):
                yield f"{name}{labels} {value} {begin + number * step:.0f}"
    yield "# EOF"


def write(folder: Path, models: int, until: float) -> int:
    """Write the blocks into the folder of a Prometheus that is not started yet; return the number of samples."""
    text, count = folder / "history.om", 0
    with text.open("w") as file:
        for _, batch in groupby(enumerate(lines(models, until)), key=lambda pair: pair[0] // 100_000):
            part = [line for _, line in batch]
            count += len(part)
            file.write("\n".join(part) + "\n")
    promtool = tool("prometheus").with_name("promtool")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=96h", text, folder / "data"]
    subprocess.run(blocks, check=True, stdout=subprocess.DEVNULL)
    text.unlink()
    return count
