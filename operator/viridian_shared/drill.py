"""How the candidate of a drill fails on purpose."""

from enum import StrEnum


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
