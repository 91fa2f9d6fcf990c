"""What `plan` and `simulate` are told of: the manifest, the traffic that its rollout meets, and what serves today."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from viridian.api.errors import ViridianError
from viridian.cli.options import Command, Seconds

if TYPE_CHECKING:
    from viridian.api.spec import ModelDeploymentSpec
    from viridian.cli.forecast.measure import Measured
    from viridian.cli.forecast.play import World
    from viridian.rollout.reporting.cost import Amount

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


_OPTIONS: Final = (
    click.option("-f", "--filename", required=True, metavar="FILE", help="The manifest; - for standard input."),
    click.option(
        "--rpm", type=click.FloatRange(min=0, min_open=True), metavar="NUMBER", help="Requests a minute of all users."
    ),
    click.option("--error-rate", type=Share(), help="Share of them that fails with stable, such as 0.5%."),
    click.option("--p95", type=Seconds(), help="Their P95 with stable, such as 120ms."),
    click.option(
        "--prometheus",
        metavar="URL",
        help="Measure what is not given, and what it costs, such as http://127.0.0.1:9090.",
    ),
    click.option("--window", type=Seconds(), default="1h", show_default=True, help="Measure over so long."),
    click.option("-n", "--namespace", metavar="NAME", help="Namespace to measure. Default: that of the manifest."),
    click.option("--name", metavar="NAME", help="Model, where the file has several."),
    click.option("--startup", type=Seconds(), default="60s", show_default=True, help="Time until a new pod is ready."),
    click.option("--approval", type=Seconds(), default="0s", show_default=True, help="Time until a person approves."),
    click.option(
        "--scrape-interval",
        type=Seconds(),
        default="15s",
        show_default=True,
        help="How often Prometheus reads the pods.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same figures."),
)


@dataclass(frozen=True)
class Asked:
    """What is to be played.

    Attributes:
        name: Of the model.
        world: What its rollout meets.
        assumed: What of that was neither given nor measured, in words.
        seed: Of the draws.
        cost: What the model's pods cost for an hour today; None where that is not known.
    """

    name: str
    world: "World"
    assumed: tuple[str, ...]
    seed: int
    cost: "Amount | None" = None


def on_manifest(command: Command) -> Command:
    """Give a command the options that say what a rollout meets, and `asked`, made from them."""

    @functools.wraps(command)
    def run(**arguments: Any) -> Any:  # noqa: ANN401 - what click passes
        ours = {option: arguments.pop(option) for option in _names()}
        return command(asked=_asked(**ours), **arguments)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def _names() -> tuple[str, ...]:
    return (
        "filename",
        "rpm",
        "error_rate",
        "p95",
        "prometheus",
        "window",
        "namespace",
        "name",
        "startup",
        "approval",
        "scrape_interval",
        "seed",
    )


def _asked(
    *,
    filename: str,
    rpm: float | None,
    error_rate: float | None,
    p95: float | None,
    prometheus: str | None,
    window: float,
    namespace: str | None,
    name: str | None,
    startup: float,
    approval: float,
    scrape_interval: float,
    seed: int,
) -> Asked:
    from viridian.cli.forecast.play import World

    manifest = _manifest(filename, name)
    spec, model = _spec(filename, manifest), str(manifest["metadata"]["name"])
    where = namespace or str(manifest["metadata"].get("namespace") or "default")
    measured = _measured(prometheus, where, model, window) if prometheus else None
    assumed: list[str] = []
    stable = _stable(spec, measured, error_rate, p95, assumed)
    world = World(spec, _rpm(rpm, measured), stable, scrape_interval, startup, approval)
    return Asked(model, world, tuple(assumed), seed, _cost(prometheus, where, model) if prometheus else None)


def _manifest(filename: str, name: str | None) -> dict[str, Any]:
    from viridian.cli.manifests import models_in

    found = [each for each in models_in(filename) if name in {None, (each.get("metadata") or {}).get("name")}]
    if len(found) != 1 or not (found[0].get("metadata") or {}).get("name"):
        raise CannotPlan(f"{filename} has {len(found) or 'no'} such models: choose one with --name")
    return found[0]


def _spec(filename: str, manifest: dict[str, Any]) -> "ModelDeploymentSpec":
    from datetime import timedelta

    from viridian.api.spec import ModelDeploymentSpec
    from viridian.cli.linting.lint import Level, lint

    errors = [each for each in lint(manifest, None, timedelta()) if each.level is Level.ERROR]
    if errors:
        raise CannotPlan(f"{filename}: {errors[0].field} {errors[0].message}")
    return ModelDeploymentSpec.model_validate(manifest["spec"])


def _measured(prometheus: str, namespace: str, model: str, window: float) -> "Measured":
    from viridian.cli.forecast.measure import measure

    return measure(prometheus, namespace, model, max(1, round(window)))


def _cost(prometheus: str, namespace: str, model: str) -> "Amount | None":
    from viridian.cli.cost.measure import model_cost

    return model_cost(prometheus, namespace, model)


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
