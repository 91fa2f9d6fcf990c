"""`kubectl viridian wait`: whether this very version was promoted."""

from typing import NoReturn

import click

from viridian.cli.kubectl import Kubectl, TimeUp
from viridian.cli.model import Model
from viridian.cli.options import NAME, OUTPUT, Seconds, fail, on_cluster, print_data
from viridian.cli.verdict import TIMED_OUT, Outcome, Verdict, is_known, verdict_on

_SAYS = {
    Outcome.PROMOTED: "was promoted",
    Outcome.TURNED_BACK: "was turned back",
    Outcome.EXPIRED: "ran out of time and was turned back without blame",
    Outcome.SUPERSEDED: "was superseded",
}


@click.command()
@NAME
@click.option("--version", metavar="VERSION", help="Version to wait for. Default: the one that the spec asks for.")
@click.option("--timeout", type=Seconds(), default="2h", show_default=True, help="How long to wait, such as 30m.")
@click.option("--until-applied", is_flag=True, help="Also wait until the spec asks for VERSION, as with GitOps.")
@click.option("-q", "--quiet", is_flag=True, help="Do not print what the rollout waits for.")
@OUTPUT
@on_cluster
def wait(
    kubectl: Kubectl,
    name: str,
    version: str | None,
    timeout: float,
    until_applied: bool,
    quiet: bool,
    output: str | None,
) -> int:
    """Wait until the rollout of a version of NAME has ended.

    \b
    Exit statuses:
      0    it was promoted
      3    it was turned back: rolled back, aborted, or failed its checks
      4    it expired: it ran out of time and is not at fault
      5    it was superseded: the spec asks for another version
      124  the timeout is over, and the rollout is not
      1    the model does not know VERSION, or the cluster cannot be read
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    said, last, known = "", None, False
    try:
        for model in kubectl.follow(name, timeout):
            last, wanted = model, version or model.version
            version = wanted
            known = known or is_known(model, wanted)  # once seen is enough: what is replaced early is in no history
            if until_applied and model.version != wanted:
                state = f"the spec asks for {model.version}, not yet for {wanted}"
            else:
                until_applied = False
                verdict = verdict_on(model, wanted)
                if verdict is not None:
                    return _report(model, wanted, verdict, output) if known else _unknown(model, wanted)
                state = model.state
            if state != said and not quiet:
                click.echo(f"{model.phase}: {state}", err=True)
            said = state
    except TimeUp:
        _out_of_time(name, version, last, said)
    return TIMED_OUT


def _report(model: Model, version: str, verdict: Verdict, output: str | None) -> int:
    if output:
        data = {"model": model.name, "namespace": model.namespace, "version": version}
        result = {"outcome": verdict.outcome.name, "reason": verdict.reason, "message": verdict.message}
        print_data({**data, **result, "exitStatus": int(verdict.outcome)}, output)
    else:
        reason = "" if verdict.reason in {"Promoted", "Stable"} else f" ({verdict.reason})"
        click.echo(f"{model.name} {version} {_SAYS[verdict.outcome]}{reason}: {verdict.message}")
        if verdict.outcome is not Outcome.PROMOTED:
            click.echo(f"`kubectl viridian explain {model.arguments}` says more, and what to do.", err=True)
    return int(verdict.outcome)


def _unknown(model: Model, version: str) -> NoReturn:
    fail(
        f"{model.name} does not know {version}: its spec asks for {model.version}, and its history has no {version}."
        " Check --version, and apply before you wait; an applied version that was replaced before it began is not known"
    )


def _out_of_time(name: str, version: str | None, last: Model | None, said: str) -> None:
    where = f"it is {last.phase}: {said.removesuffix('.')}" if last is not None else "the cluster has not answered"
    fail(
        f"the rollout of {name} {version or ''} has not ended in time; {where}. It goes on: wait again, or"
        f" `kubectl viridian abort {name if last is None else last.arguments}`",
        TIMED_OUT,
    )
