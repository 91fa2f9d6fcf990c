"""`kubectl viridian drill`: lets a known-bad version go through a rollout that no user meets, and says how it went."""

from typing import Final

import click

from viridian.cli.drill import CLEANING, final_lines, stage_line
from viridian.cli.giving import give
from viridian.cli.kubectl import Kubectl, NoSuchModel, TimeUp
from viridian.cli.model import Json
from viridian.cli.options import NAME, OUTPUT, Seconds, fail, on_cluster, print_data
from viridian_shared.drill import DrillKind

_KINDS: Final = {kind.lower(): kind for kind in DrillKind}
_ANSWER: Final = 60.0
"""Seconds for the operator to answer the command."""


@click.command()
@NAME
@click.option(
    "--kind",
    type=click.Choice(list(_KINDS)),
    default=DrillKind.FAILING.lower(),
    show_default=True,
    help="How the version fails: answers 500; answers late; answers wrongly; ends its process.",
)
@click.option("--timeout", type=Seconds(), default="45m", show_default=True, help="How long to wait for its end.")
@OUTPUT
@on_cluster
def drill(kubectl: Kubectl, name: str, kind: str, timeout: float, output: str | None) -> int:
    """Show how fast a bad version is turned back, without users.

    A twin of NAME, a ModelDeployment with stable's version, gets requests of a Job, then a version that fails on
    purpose. No user reaches it. What was made is deleted afterwards.

    \b
    Exit statuses:
      0    it passed: all traffic was on stable within the objective
      1    it did not pass, could not run, or was cancelled; standard output says why
      124  the timeout is over, and the drill is not; it goes on
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    answer = give(kubectl, "drill", name, _ANSWER, _KINDS[kind])
    if not answer.obeyed:
        fail(f"The operator refused: {answer.message}")
    said = ""
    try:
        for model in kubectl.follow(name, timeout):
            status = model.status.get("drill") or {}
            # What happens while the twin is deleted is shown with its own times, which are earlier.
            is_over = (status.get("running") or {}).get("stage") == CLEANING
            line = "" if is_over else stage_line(status)
            if line not in ("", said) and not output:
                click.echo(line)
            said = line
            if not status.get("running") and not status.get("requested"):
                return _report(status["last"], output)
    except NoSuchModel:
        fail(f"{name} was deleted, and its drill with it")
    except TimeUp as error:
        raise TimeUp(
            f"the drill of {name} has not ended in time; it goes on, and `status` shows how it ended"
        ) from error
    return 1


def _report(record: Json, output: str | None) -> int:
    if output:
        print_data(record, output)
    else:
        click.echo("\n".join(final_lines(record)))
    return 0 if record["result"] == "Passed" else 1
