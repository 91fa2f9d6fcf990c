"""How much of what a pod fails stable can answer: a label of the pod's gauge."""

from enum import StrEnum


class Covers(StrEnum):
    """How many of a pod's requests stable can answer."""

    ALL = "all"
    SOME = "some"
    NONE = "none"
    SELF = "self"
    """This pod is of the stable revision."""
    OFF = "off"
    """The fallback is switched off."""
    UNKNOWN = "unknown"
    """The model is not loaded yet, or no pod was asked yet."""
