"""`kubectl viridian drift`: what users send and get, against the baseline beside the model."""

import click

from viridian.cli.kubectl import Kubectl
from viridian.cli.options import NAME, OUTPUT, Seconds, on_cluster, print_data


@click.command()
@NAME
@click.option(
    "--prometheus",
    metavar="URL",
    required=True,
    help="Prometheus, such as http://127.0.0.1:9090 after `kubectl port-forward`.",
)
@click.option("--window", type=Seconds(), default="24h", show_default=True, help="Compare the values of so long.")
@OUTPUT
@on_cluster
def drift(kubectl: Kubectl, name: str, prometheus: str, window: float, output: str | None) -> None:
    """Compare what users send and get with the baseline.

    The baseline is beside the model. For each feature and output: the population stability index (PSI), whether chance
    may do that with so many values, and what moved where. Bars of what drifts come on a terminal.
    """
    from viridian.cli.drift.measure import measure

    variables = measure(prometheus, kubectl.model(name).namespace, name, f"{max(1, round(window))}s")
    if output:
        print_data([each.data() for each in variables], output)
        return
    from viridian.cli import render
    from viridian.cli.drift.report import bars, summary, table

    console = render.console()
    console.print(table(variables))
    if console.is_terminal:
        for each in variables:
            if each.drifts:
                console.print()
                console.print(bars(each))
    console.print()
    console.print(summary(variables))
