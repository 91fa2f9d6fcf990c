"""`kubectl viridian plan`: what a manifest's rollout will be like, before it is applied."""

import click

from viridian.cli.asked import Asked, on_manifest
from viridian.cli.options import OUTPUT, print_data, says_errors


@click.command()
@click.option("--rollouts", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Of each candidate.")
@OUTPUT
@says_errors
@on_manifest
def plan(asked: Asked, rollouts: int, output: str | None) -> None:
    """Say how a manifest's rollout may end, and when.

    It is played many times, without a cluster: the operator's own rules and guards judge drawn requests, for candidates
    from healthy to all failing. The traffic is what you give, or what Prometheus has counted. Times and numbers are
    those of nine in ten rollouts.
    """
    from viridian.cli.forecast.behavior import candidates
    from viridian.cli.forecast.many import forecast
    from viridian.cli.forecast.report import Plan

    world, kinds = asked.world, list(candidates(asked.world.stable))

    def played() -> Plan:
        found = forecast(world, kinds, rollouts, asked.seed)
        return Plan(asked.name, world, asked.assumed, rollouts, asked.seed, found, asked.cost)

    if output:
        print_data(played().data(), output)
        return
    from viridian.cli import render

    console = render.console()
    with console.status(f"Playing {rollouts * len(kinds):,} rollouts"):  # on a terminal alone
        made = played()
    console.print(made.table())
    console.print()
    if console.is_terminal:
        console.print(made.bars())
        console.print()
    for note in made.notes():
        console.print(note)
