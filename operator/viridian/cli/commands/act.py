"""Commands to the operator: written as an annotation, and waited for until they were obeyed or refused."""

import secrets
import time
from collections.abc import Mapping
from typing import Final

import click

from viridian.api.names import ANNOTATION_COMMAND, ANNOTATION_COMMAND_BY
from viridian.cli.kubectl import Kubectl, KubectlFailed, TimeUp
from viridian.cli.model import Json, Model
from viridian.cli.options import NAME, OUTPUT, Command, Seconds, fail, on_cluster, print_data
from viridian.cli.orders import subject, was_obeyed

_LONGEST: Final = 512
"""Characters of a command that the status keeps."""
_TRIES, _PAUSE = 10, 0.5
"""How often, and after how many seconds, the Event that explains a refusal is looked for: it follows the status."""
_DONE: Final[Mapping[str, str]] = {
    "approve": "{revision} is approved and goes on",
    "pause": "the rollout of {revision} is paused at its weight; `kubectl viridian resume {name}` lets it go on",
    "resume": "the rollout of {revision} goes on",
    "abort": "{revision} is being taken back; it stays blocked until `kubectl viridian retry {name}`",
    "retry": "{revision} is not blocked any more and starts again under a new number",
    "rollback": "{back} comes back instead of {stable}, and gets all traffic when its pods are ready; change the spec"
    " too, else the next change of it starts what it asks for",
}


def _acts(command: Command) -> Command:
    timeout = click.option(
        "--timeout", type=Seconds(), default="60s", show_default=True, help="How long to wait for the operator."
    )
    return NAME(timeout(OUTPUT(on_cluster(command))))


def _speaks_of_a_rollout(verb: str, told: str) -> click.Command:
    """A command that needs no more than its verb."""

    @click.command(verb, help=told)
    @_acts
    def run(kubectl: Kubectl, name: str, timeout: float, output: str | None) -> None:
        _give(kubectl, verb, name, timeout, output)

    return run


approve = _speaks_of_a_rollout("approve", "Let a rollout go on that waits for approval (rollout.approval).")
pause = _speaks_of_a_rollout("pause", "Freeze the weights of a rollout until `resume`. The guards stay on.")
resume = _speaks_of_a_rollout("resume", "Let a paused rollout go on.")
abort = _speaks_of_a_rollout("abort", "Take the candidate back to stable now, and block it until `retry`.")
retry = _speaks_of_a_rollout("retry", "Let the version that the spec asks for start again after it failed or expired.")


@click.command()
@click.option("--to", metavar="VERSION|REVISION", default="", help="What to bring back. Default: what served before.")
@_acts
def rollback(kubectl: Kubectl, name: str, timeout: float, output: str | None, to: str) -> None:
    """Replace stable by a version that served before, without steps and guards."""
    _give(kubectl, "rollback", name, timeout, output, to)


def _give(kubectl: Kubectl, verb: str, name: str, timeout: float, output: str | None, to: str = "") -> None:
    revision = subject(verb, kubectl.model(name), to)
    command = f"{verb}/{revision}/{secrets.token_hex(6)}"
    before = _refusals(kubectl, name)
    kubectl.annotate(name, {ANNOTATION_COMMAND: command, ANNOTATION_COMMAND_BY: kubectl.user()})
    model = _answered(kubectl, name, command, timeout)
    obeyed = was_obeyed(verb, revision, model)
    sentence = _sentence(verb, revision, model) if obeyed else _refusal(kubectl, name, before)
    if output:
        print_data({"command": command, "obeyed": obeyed, "message": sentence}, output)
    elif obeyed:
        click.echo(f"{name}: {sentence}.")
    if not obeyed:
        fail(f"The operator refused: {sentence}")


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
    return _DONE[verb].format(name=model.name, revision=revision, stable=stable, back=back)


def _refusals(kubectl: Kubectl, name: str) -> dict[str, Json] | None:
    """The operator's Events about commands that it refused; None where the user may not read Events."""
    mine = f"--field-selector=involvedObject.name={name},reason=CommandRefused"
    try:
        return {event["metadata"]["uid"]: event for event in kubectl.objects("events", mine)}
    except KubectlFailed:  # who may give commands need not be allowed to read them
        return None


def _refusal(kubectl: Kubectl, name: str, before: dict[str, Json] | None) -> str:
    """The operator's own sentence about the last command."""
    shows = f"`kubectl viridian status {name}` shows where the rollout stands"
    for _ in range(_TRIES):
        after = _refusals(kubectl, name)
        if before is None or after is None:
            return f"its reason is in an Event CommandRefused, and Events cannot be read by you; {shows}"
        if new := after.keys() - before.keys():
            return str(after[min(new)]["message"])
        time.sleep(_PAUSE)
    return f"its reason is in an Event CommandRefused that has not arrived; {shows}"
