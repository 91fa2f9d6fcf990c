"""`kubectl viridian simulate`: one rollout of a manifest from start to end, over drawn requests."""

import click

from viridian.cli.asked import Asked, on_manifest
from viridian.cli.options import OUTPUT, print_data, says_errors

KINDS = ("healthy", "1.5x errors", "2x errors", "5x errors", "2x slower", "5x slower", "all failing")
"""What the new version may turn out to be: the candidates of `plan`, by name."""


@click.command()
@click.option(
    "--candidate",
    type=click.Choice(KINDS),
    default=KINDS[0],
    show_default=True,
    help="What the new version turns out to be.",
)
@OUTPUT
@says_errors
@on_manifest
def simulate(asked: Asked, candidate: str, output: str | None) -> None:
    """Play one rollout of a manifest, from start to end.

    When which weight, what was counted, and the evidence. It is one of the rollouts that `plan` plays, with another
    seed another one. `plan` says how often each ending is.
    """
    from viridian.cli.forecast.behavior import candidates
    from viridian.cli.forecast.timeline import Timeline

    kind = next(each for each in candidates(asked.world.stable) if each.name == candidate)
    timeline = Timeline.play(asked.name, asked.world, kind, asked.assumed, asked.seed)
    if output:
        print_data(timeline.data(), output)
        return
    from viridian.cli import render

    console = render.console()
    console.print(timeline.table())
    console.print()
    for line in timeline.plot():
        console.print(line)
    console.print()
    for note in timeline.notes():
        console.print(note)
