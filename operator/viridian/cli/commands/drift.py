"""`kubectl viridian drift`: what users send and get, against the baseline beside the model or another version."""

from datetime import UTC, datetime, timedelta

import click

from viridian.cli.kubectl import Kubectl
from viridian.cli.model import Model
from viridian.cli.options import NAME, OUTPUT, Seconds, on_cluster, print_data


@click.command()
@NAME
@click.option(
    "--prometheus",
    metavar="URL",
    required=True,
    help="Prometheus, such as http://127.0.0.1:9090 after `kubectl port-forward`.",
)
@click.option(
    "--against",
    metavar="stable|previous|VERSION|REVISION",
    default="",
    help="Compare the candidate with stable, stable with what served before it, or what is newest with this version."
    " Default: each version with its own baseline.",
)
@click.option("--window", type=Seconds(), default="24h", show_default=True, help="Compare the values of so long.")
@OUTPUT
@on_cluster
def drift(kubectl: Kubectl, name: str, prometheus: str, against: str, window: float, output: str | None) -> None:
    """Compare what users send and get with the baseline.

    The baseline is beside the model. For each feature and output: the population stability index (PSI), whether chance
    may do that with so many values, and what moved where. Bars of what drifts come on a terminal.

    With --against, two versions are compared with each other. While both serve, their requests must be alike, and
    their answers show what the new version changes. Else it shows what has changed since the other one served.
    """
    model, seconds = kubectl.model(name), max(1, round(window))
    if against:
        _compare_versions(prometheus, model, against, timedelta(seconds=seconds), output)
        return
    from viridian.cli.drift.measure import measure

    variables = measure(prometheus, model.namespace, name, f"{seconds}s")
    if output:
        print_data([each.data() for each in variables], output)
        return
    from viridian.cli.drift.report import show, summary

    show(variables)
    click.echo(f"\n{summary(variables)}")


def _compare_versions(prometheus: str, model: Model, against: str, window: timedelta, output: str | None) -> None:
    from viridian.cli.drift.findings import findings, heading
    from viridian.cli.drift.pair import pair_of
    from viridian.cli.drift.versions import compare

    found = compare(prometheus, (model.namespace, model.name), pair_of(model, against), window)
    said = findings(found, datetime.now(UTC))
    if output:
        print_data({**found.data(), "findings": said}, output)
        return
    from viridian.cli.drift.report import show

    click.echo(f"{heading(found)}\n")
    show(found.variables, found.pair.other.version, found.pair.newer.version)
    for sentence in said:
        click.echo(f"\n{sentence}")
