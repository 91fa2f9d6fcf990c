"""The words of `spec.serving.log`, which pods read as they stand in the resource."""

from enum import StrEnum


class LogSink(StrEnum):
    """Where records go."""

    STDOUT = "Stdout"
    OTLP = "OTLP"


class RedactAction(StrEnum):
    """What is done to a member of a record."""

    DROP = "Drop"
    """It is left out."""
    MASK = "Mask"
    """It is there, without its value."""
    HASH = "Hash"
    """Equal values can be told from others, by whoever has the key also from a guess. Without a key it is masked."""
