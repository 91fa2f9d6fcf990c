"""`kubectl viridian plan`: what a manifest's rollout will be like, before it is applied."""

from typing import TYPE_CHECKING, Any

import click

from viridian.api.errors import ViridianError
from viridian.cli.options import OUTPUT, Seconds, print_data, says_errors

if TYPE_CHECKING:
    from viridian.api.spec import ModelDeploymentSpec
    from viridian.cli.forecast.measure import Measured

_USUAL_ERRORS = 0.001


class CannotPlan(ViridianError):
    """There is too little to go on; the message says what to give."""


class Share(click.ParamType[float]):
    """A share such as 0.5%."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Read it."""
        from viridian.api.quantities import parse_percent

        try:
            return parse_percent(str(value))
        except ValueError as error:
            self.fail(f"{error}", param, ctx)


@click.command()
@click.option("-f", "--filename", required=True, metavar="FILE", help="The manifest; - for standard input.")
@click.option("--rpm", type=click.FloatRange(min=0, min_open=True), help="Requests a minute of all users.")
@click.option("--error-rate", type=Share(), help="Share of them that fails with stable, such as 0.5%.")
@click.option("--p95", type=Seconds(), help="Their P95 with stable, such as 120ms.")
@click.option("--prometheus", metavar="URL", help="Measure what is not given, such as http://127.0.0.1:9090.")
@click.option("--window", type=Seconds(), default="1h", show_default=True, help="Measure over so long.")
@click.option("-n", "--namespace", metavar="NAME", help="Namespace to measure. Default: that of the manifest.")
@click.option("--name", metavar="NAME", help="Model, where the file has several.")
@click.option("--startup", type=Seconds(), default="60s", show_default=True, help="Time until a new pod is ready.")
@click.option(
    "--scrape-interval", type=Seconds(), default="15s", show_default=True, help="How often Prometheus reads the pods."
)
@click.option("--rollouts", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Of each candidate.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same figures.")
@OUTPUT
@says_errors
def plan(
    filename: str,
    rpm: float | None,
    error_rate: float | None,
    p95: float | None,
    prometheus: str | None,
    window: float,
    namespace: str | None,
    name: str | None,
    startup: float,
    scrape_interval: float,
    rollouts: int,
    seed: int,
    output: str | None,
) -> None:
    """Play a manifest's rollout many times: how it may end, when, and what users notice.

    The operator's own rules and guards judge drawn requests, for candidates from healthy to all failing. The traffic is
    what you give, or what Prometheus has counted. Times and numbers are those of nine in ten rollouts.
    """
    from viridian.cli.forecast.behavior import candidates
    from viridian.cli.forecast.many import forecast
    from viridian.cli.forecast.play import World
    from viridian.cli.forecast.report import Plan

    manifest = _manifest(filename, name)
    asked, model = _spec(filename, manifest), str(manifest["metadata"]["name"])
    spec = _without_copies(asked)
    where = namespace or str(manifest["metadata"].get("namespace") or "default")
    measured = _measured(prometheus, where, model, window) if prometheus else None
    assumed: list[str] = []
    if spec != asked:
        assumed.append("the shadow steps are over and found nothing: they are not played, and their holds come on top")
    stable = _stable(spec, measured, error_rate, p95, assumed)
    world = World(spec, _rpm(rpm, measured), stable, scrape_interval, startup)
    kinds = list(candidates(stable))

    def played() -> Plan:
        return Plan(model, world, tuple(assumed), rollouts, seed, forecast(world, kinds, rollouts, seed))

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


def _manifest(filename: str, name: str | None) -> dict[str, Any]:
    from viridian.cli.manifests import models_in

    found = [each for each in models_in(filename) if name in {None, (each.get("metadata") or {}).get("name")}]
    if len(found) != 1 or not (found[0].get("metadata") or {}).get("name"):
        raise CannotPlan(f"{filename} has {len(found) or 'no'} such models: choose one with --name")
    return found[0]


def _spec(filename: str, manifest: dict[str, Any]) -> "ModelDeploymentSpec":
    from datetime import timedelta

    from viridian.api.spec import ModelDeploymentSpec
    from viridian.cli.lint import Level, lint

    errors = [each for each in lint(manifest, None, timedelta()) if each.level is Level.ERROR]
    if errors:
        raise CannotPlan(f"{filename}: {errors[0].field} {errors[0].message}")
    return ModelDeploymentSpec.model_validate(manifest["spec"])


def _without_copies(spec: "ModelDeploymentSpec") -> "ModelDeploymentSpec":
    """The spec without its shadow steps, in which no user meets the candidate."""
    steps = [step for step in spec.rollout.steps if step.weight]
    return spec.model_copy(update={"rollout": spec.rollout.model_copy(update={"steps": steps})})


def _measured(prometheus: str, namespace: str, model: str, window: float) -> "Measured":
    from viridian.cli.forecast.measure import measure

    return measure(prometheus, namespace, model, f"{max(1, round(window))}s")


def _rpm(given: float | None, measured: "Measured | None") -> float:
    if given is None and measured is None:
        raise CannotPlan("give --rpm, or --prometheus to measure the requests a minute")
    return given if given is not None else measured.rpm if measured is not None else 0.0


def _stable(
    spec: "ModelDeploymentSpec",
    measured: "Measured | None",
    error_rate: float | None,
    p95: float | None,
    assumed: list[str],
) -> Any:  # noqa: ANN401 - its type is loaded here
    """What serves now: as given, else as measured, else as usual, which is said."""
    from viridian.cli.forecast.behavior import Behavior, LogNormal
    from viridian.guards.spec import guard_config

    errors = error_rate if error_rate is not None else measured.behavior.errors if measured is not None else None
    if errors is None:
        errors = _USUAL_ERRORS
        assumed.append(f"{errors:.1%} of the requests fail with stable (--error-rate)")
    if p95 is not None:
        return Behavior(errors, LogNormal(p95))
    if measured is not None:
        return Behavior(errors, measured.behavior.latency)
    limits = [guard.maximum for guard in guard_config(spec).latencies]
    usual = min(limits, default=0.1) / 2
    if limits:
        assumed.append(f"stable's P95 is {1000 * usual:g} ms, half of what the strictest guard allows (--p95)")
    return Behavior(errors, LogNormal(usual))
