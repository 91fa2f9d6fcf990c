"""What became of a mirrored request: a label of what stable's pods count."""

from enum import StrEnum


class Mirrored(StrEnum):
    """What became of one mirrored request."""

    AGREED = "agreed"
    """The candidate answered as stable did."""
    DISAGREED = "disagreed"
    """It answered something else, or refused what stable takes."""
    FAILED = "failed"
    """It gave no answer to compare."""
    DROPPED = "dropped"
    """It was never asked: too many requests waited."""
