"""Commands to the operator, one for each of its verbs."""

import click

from viridian.cli.giving import give
from viridian.cli.kubectl import Kubectl
from viridian.cli.options import NAME, OUTPUT, Command, Seconds, fail, on_cluster, print_data


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


approve = _speaks_of_a_rollout(
    "approve", "Let a rollout go on that waits for approval.\n\n`rollout.approval` in its manifest asks for it."
)
promote = _speaks_of_a_rollout(
    "promote",
    "Skip the remaining holds of a rollout.\n\nAll traffic goes to the candidate once requests show that the gateway"
    " follows. Guards, checks and approvals still count.",
)
pause = _speaks_of_a_rollout("pause", "Freeze the weights of a rollout until `resume`.\n\nThe guards stay on.")
resume = _speaks_of_a_rollout("resume", "Let a paused rollout go on.")
abort = _speaks_of_a_rollout("abort", "Turn the candidate back now, and block it until `retry`.")
retry = _speaks_of_a_rollout(
    "retry", "Let a version start again that failed or expired.\n\nIt is the one that the spec asks for."
)


@click.command()
@click.option("--to", metavar="VERSION|REVISION", default="", help="What to bring back. Default: what served before.")
@_acts
def rollback(kubectl: Kubectl, name: str, timeout: float, output: str | None, to: str) -> None:
    """Bring back a version that served before.

    It replaces stable without steps and guards.
    """
    _give(kubectl, "rollback", name, timeout, output, to)


def _give(kubectl: Kubectl, verb: str, name: str, timeout: float, output: str | None, to: str = "") -> None:
    answer = give(kubectl, verb, name, timeout, to)
    if output:
        print_data({"command": answer.command, "obeyed": answer.obeyed, "message": answer.message}, output)
    elif answer.obeyed:
        click.echo(f"{name}: {answer.message}.")
    if not answer.obeyed:
        fail(f"The operator refused: {answer.message}")
