"""A drill: how its candidate fails on purpose, and what the container that sends it requests is told and reports."""

from enum import StrEnum
from typing import Final


class DrillKind(StrEnum):
    """How a model fails in a drill. Its trial inferences, and so readiness, stay as they are."""

    FAILING = "Failing"
    """Each request is answered with status 500."""
    SLOW = "Slow"
    """Each answer is late by a fixed delay."""
    WRONG = "Wrong"
    """Each request gets the answer to the first one."""
    CRASH = "Crash"
    """The first request ends the process."""


DRILL: Final = "VIRIDIAN_DRILL"
"""How a pod fails on purpose. The operator sets it on the twin of a drill alone."""
DRILL_DELAY: Final = "VIRIDIAN_DRILL_DELAY"
"""How late a slow pod answers."""
TRAFFIC: Final = "VIRIDIAN_TRAFFIC"
"""What the container that sends requests is to do, as JSON: url, rate, slow, quiet, longest; times in seconds."""
CRASHED: Final = 70
"""The exit code of a pod that crashes on purpose."""
