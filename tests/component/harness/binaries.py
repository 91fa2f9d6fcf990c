"""Where the servers' programs are."""

import functools
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
TOOLCHAIN = REPOSITORY / "dev" / "toolchain"


class MissingBinaryError(Exception):
    """A program that the tests need is not there; the message says how to get it."""


def binary(name: str) -> Path:
    """A program that dev/ builds; it is built now if it is missing.

    Raises:
        MissingBinaryError: it is not there; the message says how to get it.
    """
    found = _control_plane_folder() / name
    if not found.exists():
        raise MissingBinaryError(
            f"the component tests need {name}, which is not in {found.parent}: run dev/toolchain/bin.sh."
        )
    return found


@functools.cache
def tool(name: str) -> Path:
    """A program of dev/toolchain/go other than the control plane, such as `helm`; it is built now if it is missing.

    Raises:
        MissingBinaryError: it could not be built.
    """
    _run(name, TOOLCHAIN / "build-go.sh", name)
    return binary(name)


@functools.cache
def packaged(requirements: str, path: str) -> Path:
    """A program that a Python package brings, from a requirements file of the repository.

    Args:
        requirements: The file, from the top of the repository.
        path: The program's, among the packages.

    Raises:
        MissingBinaryError: The package could not be installed.
    """
    (found,) = interpreter(requirements).parents[1].glob(f"lib/python*/site-packages/{path}")
    return found


@functools.cache
def interpreter(requirements: str) -> Path:
    """Python with the packages of a requirements file of the repository.

    Raises:
        MissingBinaryError: A package could not be installed.
    """
    return Path(_run(requirements, TOOLCHAIN / "environment.sh", requirements))


@functools.cache
def crds(pattern: str) -> list[Path]:
    """Files of CustomResourceDefinitions out of Go modules, such as `gateway-api/gateway.networking.k8s.io_*.yaml`.

    Raises:
        MissingBinaryError: a module could not be fetched.
    """
    return sorted(Path(_run("the definitions", TOOLCHAIN / "crds.sh")).glob(pattern))


@functools.cache
def _control_plane_folder() -> Path:
    return Path(_run("the control plane", TOOLCHAIN / "bin.sh"))


def _run(what: str, *command: str | Path) -> str:
    """What a script prints; its progress goes where ours goes."""
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MissingBinaryError(f"{what} could not be made ready for the component tests; the output above says why.")
    return done.stdout.strip()
