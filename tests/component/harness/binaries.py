"""Where the servers' programs are."""

import functools
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


class MissingBinaryError(Exception):
    """A program that the tests need is not there; the message says how to get it."""


@functools.cache
def _folder() -> Path:
    """The folder of the programs that dev/ builds; what is missing there is built now."""
    found = subprocess.run([REPOSITORY / "dev" / "bin.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        raise MissingBinaryError("dev/bin.sh could not build the programs of the control plane; its output says why.")
    return Path(found.stdout.strip())


def binary(name: str) -> Path:
    """The program of this name: built by dev/, or else the machine's own.

    Raises:
        MissingBinaryError: it is in neither place.
    """
    built = _folder() / name
    if built.exists():
        return built
    if own := shutil.which(name):
        return Path(own)
    raise MissingBinaryError(
        f"the component tests need {name}, which is neither in {built.parent} nor on the PATH: run dev/bin.sh, or"
        f" install {name}."
    )


def gateway_api_crds() -> Path:
    """The folder with the CustomResourceDefinitions of the Gateway API, out of its Go module.

    Raises:
        MissingBinaryError: the module cannot be fetched.
    """
    script = (
        '. dev/lib.sh; PATH=$(dev/go.sh):$PATH; cd dev/go/gateway-api; go mod download; go list -m -f "{{.Dir}}" "$0"'
    )
    found = subprocess.run(
        ["bash", "-c", script, "sigs.k8s.io/gateway-api"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    folder = Path(found.stdout.strip()) / "config" / "crd" / "experimental"
    if found.returncode or not folder.is_dir():
        raise MissingBinaryError("the Go module sigs.k8s.io/gateway-api, which holds its CRDs, could not be fetched.")
    return folder
