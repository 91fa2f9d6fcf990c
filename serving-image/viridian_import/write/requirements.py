"""requirements.txt of a model that is served by its own library: every package, with its hash."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from viridian_import.faults import ImportFault

_PYTHON: Final = "3.11"
"""Of the serving image, and the kinds of wheels that it takes."""
_PLATFORMS: Final = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_BESIDE: Final = ("joblib", "pandas")
"""What runs a model beside its own library."""
_NUMPY: Final = "numpy<2"
"""As Triton's python backend needs it."""


def lock(versions: Mapping[str, str]) -> str:
    """Find out all packages that a model needs in the serving image.

    Args:
        versions: Of the packages that it was imported with.

    Returns:
        A requirements.txt with hashes.

    Raises:
        ImportFault: pip finds no such packages, or is not here.
    """
    wanted = [f"{_installed(name)}=={number}" for name, number in versions.items()]
    wanted += [f"{name}=={version(name)}" for name in _BESIDE] + [_NUMPY]
    with tempfile.TemporaryDirectory(prefix="viridian-lock-") as folder:
        options = ["--dry-run", "--quiet", "--ignore-installed", "--only-binary=:all:", "--target", folder]
        options += [f"--python-version={_PYTHON}", *(f"--platform={each}" for each in _PLATFORMS), "--report", "-"]
        done = subprocess.run(  # noqa: S603  pip of this environment
            [sys.executable, "-m", "pip", "install", *options, *wanted], capture_output=True, text=True
        )
    if done.returncode:
        raise ImportFault(
            f"pip cannot find out which packages the model needs ({' '.join(done.stderr.split())[-300:]}); name a "
            "requirements.txt of your own, with hashes: --requirements FILE"
        )
    return "".join(sorted(map(_line, json.loads(done.stdout)["install"])))


def _line(found: Mapping[str, Any]) -> str:
    about, hashes = found["metadata"], found["download_info"]["archive_info"]["hashes"]
    return f"{about['name'].lower()}=={about['version']} --hash=sha256:{hashes['sha256']}\n"


def _installed(name: str) -> str:
    """Return what a package is called here: XGBoost comes with and without libraries for GPUs."""
    for called in (name, f"{name}-cpu"):
        try:
            version(called)
        except PackageNotFoundError:
            continue
        return called
    return name
