"""How a container's end tells the operator more than that it ended."""

from typing import Final

ENDED_UNDER_REQUEST: Final = 86
"""The triton container's, when its end may be a request's fault: such an end is not held against the model."""
