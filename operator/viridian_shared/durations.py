"""Durations as people write them in manifests: `500ms`, `90s`, `1h30m`. Whole numbers, never a sign."""

import re
from datetime import timedelta
from typing import Final

PATTERN: Final = re.compile(r"^([0-9]{1,5}(h|m|s|ms)){1,4}$")
_PART: Final = re.compile(r"([0-9]+)(ms|h|m|s)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `1h30m` or `500ms`.

    Raises:
        ValueError: the text is not a duration; the message shows how to write one.
    """
    if not PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write whole numbers with units, such as 500ms, 90s or 1h30m")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def format_duration(duration: timedelta) -> str:
    """Write a duration the way users do, to the millisecond; zero is `0s`."""
    rest = round(duration.total_seconds() * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
