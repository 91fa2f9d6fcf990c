"""Days of recorded series, as blocks of Prometheus' storage, so that long windows have what to read."""

import math
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.component.harness.binaries import tool

from viridian.monitoring.groups import files
from viridian.monitoring.rule import Recording

RATES = {"requests": 10.0, "errors": 0.01, "slow": 0.1}
"""Of each model, a second."""
_NAME = re.compile(r"model:viridian_(requests|errors|slow):(rate|increase)5m")
_UNITS = {"m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Series:
    """A recorded series that rules read back over some time.

    Attributes:
        name: Its name.
        value: Of each sample.
        step: Seconds between two samples.
        window: Seconds that rules look back, at most.
    """

    name: str
    value: float
    step: float
    window: float


def series() -> list[Series]:
    """Recorded rates and counts of each model that rules read over more than an instant."""
    groups = [group for found in files().values() for group in found]
    text = "\n".join(rule.expr for group in groups for rule in group.rules)
    found = []
    for group in groups:
        for rule in group.rules:
            if not isinstance(rule, Recording) or not (match := _NAME.fullmatch(rule.name)):
                continue
            looked = re.findall(rf"{re.escape(rule.name)}\[(\d+)([mhd])", text)
            if looked:
                window = max(int(number) * _UNITS[unit] for number, unit in looked)
                value = RATES[match[1]] * (300 if match[2] == "increase" else 1)
                found.append(Series(rule.name, value, group.interval.total_seconds(), window))
    return found


def lines(models: int, until: float) -> Iterator[str]:
    """The samples in the text form of OpenMetrics, series by series."""
    for each in series():
        yield f"# TYPE {each.name} gauge"
        for model in range(models):
            le = ',le="0.5"' if ":viridian_slow:" in each.name else ""
            labels = f'{{model_namespace="team-{model % 20}",model="model-{model:05}"{le}}}'
            for number in range(math.floor(each.window / each.step)):
                yield f"{each.name}{labels} {each.value} {until - each.window + number * each.step:.0f}"
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
