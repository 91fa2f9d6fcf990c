"""What is: one model or all of them, now or as it changes, and why."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from viridian.cli.kubectl import Kubectl
from viridian.cli.model import Model, read_time
from viridian.cli.options import NAME, OUTPUT, on_cluster, print_data

if TYPE_CHECKING:
    from rich.console import RenderableType

    from viridian.cli.cost.measure import RevisionCost
    from viridian.rollout.reporting.cost import Amount

_PROMETHEUS = click.option(
    "--prometheus", metavar="URL", help="Add what it cost, where there are prices. Such as http://127.0.0.1:9090."
)


@click.command("list")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Of all namespaces.")
@OUTPUT
@on_cluster
def list_models(kubectl: Kubectl, everywhere: bool, output: str | None) -> None:
    """List models: phase, versions, weight, what they wait for."""
    models = kubectl.models(everywhere=everywhere)
    if output:
        print_data([model.manifest for model in models], output)
    elif not models:
        click.echo("There is no ModelDeployment here: apply one, or try -A.", err=True)
    else:
        from viridian.cli import render

        render.console().print(render.models_table(models, everywhere=everywhere))


@click.command()
@NAME
@_PROMETHEUS
@OUTPUT
@on_cluster
def status(kubectl: Kubectl, name: str, prometheus: str | None, output: str | None) -> None:
    """Show where the rollout of NAME stands.

    Versions, weights, pods, the step and what it waits for, checks, guards, and how earlier rollouts ended. A guard
    with "evidence 0.42 of 303" has so much against the candidate, and turns it back at 303.
    """
    model = kubectl.model(name)
    found = _costs(prometheus, model) if prometheus else []
    if output:
        cost = {"cost": [each.data() for each in found]} if prometheus else {}
        print_data({**model.status, **cost}, output)
        return
    from viridian.cli import render

    console = render.console()
    console.print(render.status_tree(model, datetime.now(UTC), bars=console.is_terminal, costs=found))


@click.command()
@NAME
@on_cluster
def watch(kubectl: Kubectl, name: str) -> None:
    """Follow the rollout of NAME until it has ended.

    Shows its status as it changes. Without a terminal, each change of the state is a line.
    """
    from viridian.cli import render

    console = render.console()
    if not console.is_terminal:
        said = ""
        for model in _until_settled(kubectl, name):
            if said != (said := f"{model.phase}: {model.state}"):
                click.echo(said)
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        for model in _until_settled(kubectl, name):
            shown: RenderableType = render.status_tree(model, datetime.now(UTC), bars=True)
            live.update(shown, refresh=True)


@click.command()
@NAME
@_PROMETHEUS
@OUTPUT
@on_cluster
def history(kubectl: Kubectl, name: str, prometheus: str | None, output: str | None) -> None:
    """Show how the rollouts of NAME ended, the newest first.

    Result, duration, changes, checks, and why.
    """
    model = kubectl.model(name)
    if output:
        print_data(model.history, output)
    elif not model.history:
        click.echo(f"No rollout of {name} has ended yet: {model.state}.", err=True)
    else:
        from viridian.cli import render

        costs = _rollout_costs(prometheus, model) if prometheus else []
        render.console().print(render.history_text(model, costs))


@click.command()
@NAME
@OUTPUT
@on_cluster
def explain(kubectl: Kubectl, name: str, output: str | None) -> None:
    """Say why a version was turned back, and what to do.

    Of a rollout that runs, what it waits for. The counts of each guard are judged once more, in a simpler way.
    """
    from viridian.cli.explain import explain as explained
    from viridian.cli.explain import reason_of

    model = kubectl.model(name)
    paragraphs = explained(model)
    if output:
        print_data({"reason": reason_of(model), "explanation": paragraphs}, output)
    else:
        click.echo("\n\n".join(paragraphs))


def _costs(prometheus: str, model: Model) -> "list[RevisionCost]":
    from viridian.cli.cost.measure import costs

    return costs(prometheus, model.namespace, model.name)


def _rollout_costs(prometheus: str, model: Model) -> "list[Amount | None]":
    from viridian.cli.cost.measure import rollout_cost

    times = [(read_time(entry["startedAt"]), read_time(entry["endedAt"])) for entry in model.history]
    return [rollout_cost(prometheus, model.namespace, model.name, *each) for each in times]


def _until_settled(kubectl: Kubectl, name: str) -> Iterator[Model]:
    for model in kubectl.follow(name, None):
        yield model
        if model.is_observed and model.holds("Settled"):  # not the phase, which may be that of what made room
            return
