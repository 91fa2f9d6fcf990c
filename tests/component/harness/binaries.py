"""Where the servers' programs are."""

import functools
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


class MissingBinaryError(Exception):
    """A program that the tests need is not there; the message says how to get it."""


def binary(name: str) -> Path:
    """A program that dev/ builds; it is built now if it is missing.

    Raises:
        MissingBinaryError: it is not there; the message says how to get it.
    """
    found = _control_plane_folder() / name
    if not found.exists():
        raise MissingBinaryError(f"the component tests need {name}, which is not in {found.parent}: run dev/bin.sh.")
    return found


@functools.cache
def helm() -> Path:
    """Helm, built by dev/ if it is missing.

    Raises:
        MissingBinaryError: it could not be built.
    """
    _run("Helm", REPOSITORY / "dev" / "build-go.sh", "helm")
    return binary("helm")


@functools.cache
def prometheus() -> Path:
    """Prometheus, fetched by dev/ if it is missing.

    Raises:
        MissingBinaryError: it could not be fetched.
    """
    return Path(_run("Prometheus", REPOSITORY / "dev" / "prometheus-bin.sh"))


@functools.cache
def gateway_api_crds() -> Path:
    """The folder with the CustomResourceDefinitions of the Gateway API, out of its Go module.

    Raises:
        MissingBinaryError: the module could not be fetched.
    """
    return Path(_run("the Gateway API", REPOSITORY / "dev" / "crds.sh")) / "gateway-api"


@functools.cache
def _control_plane_folder() -> Path:
    return Path(_run("the control plane", REPOSITORY / "dev" / "bin.sh"))


def _run(what: str, *command: str | Path) -> str:
    """What a script prints; its progress goes where ours goes."""
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MissingBinaryError(f"{what} could not be made ready for the component tests; the output above says why.")
    return done.stdout.strip()
