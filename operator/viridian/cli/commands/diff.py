"""`kubectl viridian diff`: what applying a manifest would change, and whether it starts a rollout."""

from typing import TYPE_CHECKING, Any

import click

from viridian.api.errors import ViridianError
from viridian.cli.kubectl import Kubectl, NoSuchModel
from viridian.cli.model import Model
from viridian.cli.options import NAME, OUTPUT, on_cluster, print_data

if TYPE_CHECKING:
    from viridian.api.revision import RevisionInput
    from viridian.api.spec import ModelDeploymentSpec
    from viridian.cli.difference import Change


class NoSuchManifest(ViridianError):
    """The file does not describe this model."""


@click.command()
@NAME
@click.option("-f", "--filename", required=True, metavar="FILE", help="The manifest; - for standard input.")
@OUTPUT
@on_cluster
def diff(kubectl: Kubectl, name: str, filename: str, output: str | None) -> None:
    """Show what a manifest changes, and if it starts a rollout.

    Fields with * are part of a revision.
    """
    from viridian.cli.difference import changes, creates, starts

    after = _spec_in(filename, name)
    try:
        model = kubectl.model(name)
    except NoSuchModel:
        found, sentence, changed = [], creates(name, after), True
    else:
        found = changes(_read(model.spec, f"ModelDeployment {name}"), after)
        sentence, changed = starts(model.manifest, after, _stable(kubectl, model)), bool(found)
    if output:
        data = [
            {"field": one.field, "before": one.before, "after": one.after, "newRevision": one.restarts} for one in found
        ]
        print_data({"changes": data, "effect": sentence}, output)
        return
    for change in found:
        click.echo(_line(change))
    click.echo(f"{sentence[:1].upper()}{sentence[1:]}." if changed else f"Nothing changes: {sentence}.")


def _line(change: "Change") -> str:
    mark = "*" if change.restarts else " "
    return f"{mark} {change.field}: {_shown(change.before)} -> {_shown(change.after)}"


def _shown(value: object) -> str:
    if value is None:
        return "(absent)"
    return str(value) or "(empty)"


def _spec_in(filename: str, name: str) -> "ModelDeploymentSpec":
    from viridian.cli.manifests import models_in

    for manifest in models_in(filename):
        if (manifest.get("metadata") or {}).get("name") == name:
            return _read(manifest.get("spec") or {}, filename)
    raise NoSuchManifest(f"{filename} has no ModelDeployment {name}: check the name, or give another file")


def _read(spec: dict[str, Any], where: str) -> "ModelDeploymentSpec":
    from pydantic import ValidationError

    from viridian.api.spec import ModelDeploymentSpec

    try:
        return ModelDeploymentSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise NoSuchManifest(
            f"{where}: spec.{field}: {first['msg']}; `kubectl viridian lint` says more about a file"
        ) from error


def _stable(kubectl: Kubectl, model: Model) -> "RevisionInput | None":
    """What stable's stored revision was made from; None if nothing serves."""
    from viridian.api.revision import RevisionInput

    if not model.stable:
        return None
    stored = kubectl.read("controllerrevisions", str(model.stable["revision"]))
    return RevisionInput.read((stored.get("data") or {}).get("input"))
