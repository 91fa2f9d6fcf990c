"""The two sides of a ModelDeployment."""

from enum import StrEnum


class Color(StrEnum):
    """One of the two sides of a ModelDeployment."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> "Color":
        """The opposite side."""
        return Color.GREEN if self is Color.BLUE else Color.BLUE
