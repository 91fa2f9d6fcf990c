"""The page in a browser."""

import click

from viridian.cli.kubectl import Kubectl
from viridian.cli.options import on_cluster


@click.command()
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Show the models of all namespaces.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1. Default: a free one.")
@click.option("--prometheus", metavar="URL", default="", help="Show requests, errors and latency from this Prometheus.")
@click.option("--allow-actions", is_flag=True, help="Let the page give commands, each after a confirmation.")
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.")
@on_cluster
def dashboard(
    kubectl: Kubectl, everywhere: bool, port: int, prometheus: str, allow_actions: bool, browser: bool
) -> None:
    """Show all models and their rollouts, live, in a browser.

    The page is at 127.0.0.1. It reads the cluster as you, and only you can open it: the address has a token. Ctrl-C
    ends it.
    """
    from viridian.cli.dashboard.serving import serve

    serve(
        kubectl,
        everywhere=everywhere,
        port=port,
        prometheus=prometheus,
        allow_actions=allow_actions,
        opens_browser=browser,
    )
