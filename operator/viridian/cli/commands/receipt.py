"""`kubectl viridian receipt`: how a rollout ended, as a document to keep."""

from pathlib import Path

import click

from viridian.cli.kubectl import Kubectl, KubectlFailed
from viridian.cli.model import Json, called
from viridian.cli.options import NAME, fail, on_cluster, print_data

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@NAME
@click.argument("revision", required=False, default="", metavar="[REVISION|VERSION]")
@click.option("--key", type=_FILE, metavar="FILE", help="Sign it with this key of OpenSSH, such as ~/.ssh/id_ed25519.")
@click.option("--verify", type=_FILE, metavar="FILE", help="Check a signed receipt of NAME instead of making one.")
@click.option("--public-key", type=_FILE, metavar="FILE", help="The key that must have signed it, such as key.pub.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
@on_cluster
def receipt(
    kubectl: Kubectl,
    name: str,
    revision: str,
    key: Path | None,
    verify: Path | None,
    public_key: Path | None,
    output: str,
) -> None:
    """Print what became of a revision, as a document to keep.

    Result, counts and thresholds, digests, and who approved, as JSON. REVISION is the last one that ended if it is left
    out. With --key the receipt is signed. --verify needs no cluster: it ends with 0 and says what the receipt says if
    the owner of --public-key has signed it for NAME.
    """
    from viridian.cli.receipt import entry_of, signed
    from viridian.cli.receipt import receipt as made

    if verify is not None:
        _verify(name, revision, verify, public_key)
        return
    model = kubectl.model(name)
    entry = entry_of(model, revision)
    document = made(model, entry, _stored(kubectl, str(entry["revision"])))
    print_data(document if key is None else signed(document, key), output)


def _stored(kubectl: Kubectl, revision: str) -> Json | None:
    """The ControllerRevision; None if it is not kept any more."""
    try:
        return kubectl.read("controllerrevisions", revision)
    except KubectlFailed as error:
        if "NotFound" in str(error):
            return None
        raise


def _verify(name: str, revision: str, file: Path, public_key: Path | None) -> None:
    from viridian.cli.receipt import verify

    if public_key is None:
        fail("give --public-key: a signature by anybody proves nothing", 2)
    found = verify(file.read_text(), public_key.read_text())
    rollout, owner = found["rollout"], found["model"]["name"]
    if owner != name or revision not in {"", rollout["revision"], rollout["version"]}:
        fail(f"this is a genuine receipt of {owner} {called(rollout)}, not of {name} {revision}")
    click.echo(
        f"Genuine: {name} {called(rollout)} ended as {rollout['result']} at {rollout['endedAt']}: {rollout['message']}"
    )
