"""Commands that a person gives by annotation: `verb/revision/nonce`. The operator never removes them.

One that was committed to Git by mistake runs once: it is compared with the last one, and it names a revision.
"""

from dataclasses import dataclass
from enum import StrEnum

from .view import View


class Verb(StrEnum):
    """What a person can ask for."""

    ABORT = "abort"
    RETRY = "retry"


@dataclass(frozen=True)
class Command:
    """A command that was read."""

    verb: Verb
    revision: str


def pending_command(view: View) -> Command | None:
    """The command in the annotation, unless it was dealt with before or cannot be read."""
    text = view.observed.command
    if not text or text == view.status.last_command:
        return None
    verb, _, rest = text.partition("/")
    revision, _, nonce = rest.partition("/")
    if verb not in set(Verb) or not revision or not nonce:
        return None
    return Command(Verb(verb), revision)


def refusal(view: View) -> str | None:
    """Why a new command cannot be obeyed, as a sentence; None when there is nothing to refuse."""
    text = view.observed.command
    if not text or text == view.status.last_command:
        return None
    command = pending_command(view)
    if command is None:
        return (
            f"command {text!r} cannot be read: write abort/REVISION/ID or retry/REVISION/ID with an ID of your choice"
        )
    candidate = view.status.candidate
    if command.verb is Verb.ABORT and (candidate is None or command.revision != candidate.revision):
        return f"nothing to abort: {command.revision} is not being rolled out"
    pinned = {pin.revision for pin in [*view.status.failed, *view.status.expired]}
    if command.verb is Verb.RETRY and command.revision not in pinned:
        return f"nothing to retry: {command.revision} neither failed nor expired"
    return None
