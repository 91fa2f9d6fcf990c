"""What all parts of a status are made of: times, sentences, names, the phase, a condition."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer

from ..base import ApiModel


def _write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_time(value: Any) -> Any:  # noqa: ANN401 - pydantic validates what comes out
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Time = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(_write_time, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]


_LONGEST: Final = 2048


def cut(text: str) -> str:
    """A sentence as long as a status may hold: some quote others at length, and must be written nevertheless."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _read_sentence(value: Any) -> Any:  # noqa: ANN401 - pydantic validates what comes out
    return cut(value) if isinstance(value, str) else value


Sentence = Annotated[str, BeforeValidator(_read_sentence), Field(max_length=_LONGEST)]


Name = Annotated[str, Field(max_length=253)]


class StatusModel(ApiModel):
    """Base of what the operator itself wrote: fields of a newer operator are left alone, not refused."""

    model_config = ConfigDict(extra="ignore")


class Phase(StrEnum):
    """Where a ModelDeployment stands."""

    PENDING = "Pending"
    STARTING = "Starting"
    PROGRESSING = "Progressing"
    BAKING = "Baking"
    FINISHING = "Finishing"
    WATCHING = "Watching"
    STABLE = "Stable"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    HELD = "Held"
    EXPIRED = "Expired"
    STALLED = "Stalled"


class Condition(StatusModel):
    """A condition in the form that kstatus, Flux and `kubectl wait` read."""

    type: Annotated[str, Field(max_length=64, description="Such as Ready, Reconciling, Stalled or Available.")]
    status: Annotated[str, Field(max_length=8, description="True, False or Unknown.")]
    reason: Annotated[str, Field(max_length=64, description="Why, in one word for programs.")]
    message: Annotated[Sentence, Field(description="Why, in a sentence for people.")]
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
    observed_generation: Annotated[int, Field(description="Generation of the spec that this speaks of.")] = 0
