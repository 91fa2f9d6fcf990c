"""Durations as people write them in Kubernetes manifests: ``500ms``, ``30s``, ``1m30s``, ``2h``."""

import re

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Read a duration such as ``1m30s``.

    Args:
        text: One or more numbers, each followed by ``ms``, ``s``, ``m`` or ``h``.

    Returns:
        The duration in seconds.

    Raises:
        ValueError: The text is not a duration; the message says how to write one.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write it like 500ms, 30s or 1m30s")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
