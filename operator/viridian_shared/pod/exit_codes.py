"""How a container's end tells the operator more than that it ended."""

from typing import Final

ENDED_UNDER_REQUEST: Final = 86
"""The triton container's, when its end may be a request's fault: such an end is not held against the model."""
FETCH_REFUSED: Final = 77
"""The fetch container's, when the model's store refuses its credentials, or it has none that can be used."""
FETCH_NO_ROOM: Final = 73
"""The fetch container's, when the disk has no room for the model."""
CHECK_FAILED: Final = 65
"""A check's container, when the model has failed it; any other one but 0 says nothing about the model."""
DRILL_CRASHED: Final = 87
"""The api container's, when it ends on purpose in a drill; it is held against the model like any other."""
