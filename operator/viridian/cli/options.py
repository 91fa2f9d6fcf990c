"""What all commands have in common: the choice of a cluster, the form of what they print, and how they fail."""

import functools
import json
from collections.abc import Callable
from typing import Any, Final, NoReturn

import click

from viridian.api.errors import ViridianError
from viridian_shared.durations import parse_duration

from .kubectl import Kubectl, KubectlFailed, TimeUp
from .verdict import TIMED_OUT

OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["json", "yaml"]), help="Print the data for programs instead of text."
)
Command = Callable[..., Any]


_CLUSTER: Final = ("kubeconfig", "context", "namespace")
"""The options that choose a cluster; kubectl has the same."""


def choose_cluster(command: Command) -> Command:
    """Give a command, or the group of all commands, the options that choose a cluster."""
    namespace = click.option("-n", "--namespace", metavar="NAME", help="Namespace. Default: that of the context.")
    context = click.option("--context", metavar="NAME", help="Context of the kubeconfig. Default: the current one.")
    return click.option("--kubeconfig", metavar="FILE", help="Kubeconfig file. Default: as kubectl has it.")(
        context(namespace(command))
    )


def _chosen(context: click.Context) -> Kubectl:
    """The cluster that the options choose; those after the command win over those before it."""
    places = (context.params, context.find_root().params)
    return Kubectl(**{key: next((place[key] for place in places if place.get(key)), "") for key in _CLUSTER})


def _names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The models that a NAME can be completed to; none where the cluster does not say."""
    try:
        models = _chosen(context).models(everywhere=False)
    except KubectlFailed:
        return []
    return [model.name for model in models if model.name.startswith(incomplete)]


NAME = click.argument("name", shell_complete=_names)


def on_cluster(command: Command) -> Command:
    """Give a command the options that choose a cluster, and a `kubectl` made from them; say its errors in a line."""

    @functools.wraps(command)
    def run(**arguments: Any) -> Any:  # noqa: ANN401 - what click passes
        own = {key: value for key, value in arguments.items() if key not in _CLUSTER}
        return command(kubectl=_chosen(click.get_current_context()), **own)

    return choose_cluster(says_errors(run))


def says_errors(command: Command) -> Command:
    """Let a command end with one line on standard error and status 1 (124 when the time is over)."""

    @functools.wraps(command)
    def run(**arguments: Any) -> Any:  # noqa: ANN401 - what click passes
        try:
            return command(**arguments)
        except TimeUp as error:
            fail(f"{error}", TIMED_OUT)
        except ViridianError as error:
            fail(f"{error}")

    return run


def fail(sentence: str, status: int = 1) -> NoReturn:
    """End the command with a sentence on standard error."""
    click.echo(f"{sentence.removesuffix('.')}.", err=True)
    raise click.exceptions.Exit(status)


def print_data(data: object, form: str) -> None:
    """Print data for programs, as json or yaml."""
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    import yaml  # not needed to print text

    click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)


class Seconds(click.ParamType[float]):
    """A duration such as 30m, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Read it."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value).total_seconds()
        except ValueError as error:
            self.fail(f"{error}", param, ctx)
