"""Give a command to the operator: write it as an annotation, and wait until it was obeyed or refused."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from viridian.api.names import ANNOTATION_COMMAND, ANNOTATION_COMMAND_BY

from .kubectl import Kubectl, KubectlFailed, TimeUp
from .model import Json, Model
from .orders import subject, was_obeyed

_LONGEST: Final = 512
"""Characters of a command that the status keeps."""
_TRIES, _PAUSE = 10, 0.5
"""How often, and after how many seconds, the Event that explains a refusal is looked for: it follows the status."""
_DONE: Final[Mapping[str, str]] = {
    "approve": "{revision} is approved and goes on",
    "promote": "{revision} goes on to full traffic without waiting for its holds; a guard that breaches still takes it"
    " back",
    "pause": "the rollout of {revision} is paused at its weight; `kubectl viridian resume {name}` lets it go on",
    "resume": "the rollout of {revision} goes on",
    "abort": "{revision} is being taken back; it stays blocked until `kubectl viridian retry {name}`",
    "retry": "{revision} is not blocked any more and starts again under a new number",
    "rollback": "{back} comes back instead of {stable}, and gets all traffic when its pods are ready; change the spec"
    " too, else the next change of it starts what it asks for",
    "drill": "a drill begins",
}


@dataclass(frozen=True)
class Answer:
    """What the operator did with a command."""

    command: str
    obeyed: bool
    message: str
    """What happens now, or why it was refused; without a full stop."""


def give(kubectl: Kubectl, verb: str, name: str, timeout: float, to: str = "") -> Answer:
    """Give a command, and wait for the operator's answer.

    Args:
        kubectl: the user's cluster and namespace.
        verb: one of the operator's verbs.
        name: the model.
        timeout: seconds to wait.
        to: of a rollback, the version or revision to bring back; empty for the one that served before.

    Raises:
        NothingToDo: it would be refused as the model is now.
        TimeUp: the operator does not answer.
        KubectlFailed: the cluster refuses, or does not answer.
    """
    model = _at_rest(kubectl, name, timeout) if verb == "rollback" else kubectl.model(name)
    revision = subject(verb, model, to)
    command = f"{verb}/{revision}/{secrets.token_hex(6)}"
    before = _refusals(kubectl, name)
    kubectl.annotate(name, {ANNOTATION_COMMAND: command, ANNOTATION_COMMAND_BY: kubectl.user()})
    model = _answered(kubectl, name, command, timeout)
    obeyed = was_obeyed(verb, revision, model)
    return Answer(command, obeyed, _sentence(verb, revision, model) if obeyed else _refusal(kubectl, model, before))


def _at_rest(kubectl: Kubectl, name: str, timeout: float) -> Model:
    """The model once the version before its stable one has drained: until then nothing can come back."""
    for model in kubectl.follow(name, timeout):
        if model.phase != "Finishing":
            return model
    raise TimeUp(f"the connection ended while the version before the stable one of {name} drained")


def _answered(kubectl: Kubectl, name: str, command: str, timeout: float) -> Model:
    """The first status that knows the command."""
    try:
        for model in kubectl.follow(name, timeout):
            if model.status.get("lastCommand") == command[:_LONGEST]:
                return model
    except TimeUp as error:
        raise TimeUp(
            f"the operator has not answered {command} in time: check that it runs. It obeys the command when it is back"
        ) from error
    raise TimeUp(f"the connection ended before the operator answered {command}")


def _sentence(verb: str, revision: str, model: Model) -> str:
    stable, _, _ = revision.partition(":")
    # Where what is rolled back was watched after its promotion, stable is the old version again at once.
    back = model.candidate.get("revision", "")
    back = model.stable.get("revision", "") if back == stable else back
    return _DONE[verb].format(name=model.arguments, revision=revision, stable=stable, back=back)


def _refusals(kubectl: Kubectl, name: str) -> dict[str, Json] | None:
    """The operator's Events about commands that it refused; None where the user may not read Events."""
    mine = f"--field-selector=involvedObject.name={name},reason=CommandRefused"
    try:
        return {event["metadata"]["uid"]: event for event in kubectl.objects("events", mine)}
    except KubectlFailed:  # who may give commands need not be allowed to read them
        return None


def _refusal(kubectl: Kubectl, model: Model, before: dict[str, Json] | None) -> str:
    """The operator's own sentence about the last command."""
    shows = f"`kubectl viridian status {model.arguments}` shows where the rollout stands"
    for _ in range(_TRIES):
        after = _refusals(kubectl, model.name)
        if before is None or after is None:
            return f"its reason is in an Event CommandRefused, and Events cannot be read by you; {shows}"
        if new := after.keys() - before.keys():
            return str(after[min(new)]["message"])
        time.sleep(_PAUSE)
    return f"its reason is in an Event CommandRefused that has not arrived; {shows}"
