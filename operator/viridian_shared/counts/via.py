"""How a request came to a pod: a header that the route sets, and a label of what the pod counts."""

from enum import StrEnum
from typing import Final

HEADER: Final = "Viridian-Via"


class Via(StrEnum):
    """How a request came to this pod."""

    SPLIT = "split"
    PIN = "pin"
    DIRECT = "direct"
    FALLBACK = "fallback"
    MIRROR = "mirror"
    CHECK = "check"


JUDGED: Final = (Via.SPLIT, Via.PIN, Via.DIRECT)
"""Requests of users that guards judge. The first are assigned at random: only they are compared between colors."""
USERLESS: Final = frozenset({Via.CHECK, Via.MIRROR})
"""Requests that no user waits for: they say nothing about users, and keep no color from draining."""
