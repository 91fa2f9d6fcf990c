"""A newer operator: a copy of today's source with the changes that a later version may bring."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from .binaries import REPOSITORY
from .loopback import ENVIRONMENT

_CHANGES = (
    # Another rendering of pods.
    ("viridian/workloads/pod.py", r"( +)variables.MODEL: model,\n", r'\g<0>\1"VIRIDIAN_NEWER": "yes",\n'),
    (
        "viridian_shared/pod/shutdown.py",
        r"DRAIN_DELAY: Final = timedelta\(seconds=3\)",
        "DRAIN_DELAY: Final = timedelta(seconds=4)",
    ),
    # Another default, which no version may bring, and which must do no harm all the same.
    ("viridian/api/serving.py", r'\] = "30s"', '] = "20s"'),
    # A new field with a default, in the spec and in the status.
    (
        "viridian/api/serving.py",
        r'(class Serving\(ApiModel\):\n    """.*?"""\n)',
        r"\1\n"
        r'    threads: Annotated[int, Field(ge=1, le=64, description="Threads of the new kind.")] = 4',
    ),
    (
        "viridian/api/status/status.py",
        r'(class ModelDeploymentStatus\(StatusModel\):\n    """.*?"""\n)',
        r"\1\n"
        r'    mood: Annotated[str, Field(max_length=16, description="How the newer operator feels.")] = "calm"',
    ),
)


def newer_operator(folder: Path) -> Path:
    """Make the newer operator in a folder; returns what its PYTHONPATH is to be.

    Raises:
        ValueError: today's source is not what the changes were written for.
    """
    shutil.copytree(REPOSITORY / "operator", folder, dirs_exist_ok=True)
    for name, pattern, replacement in _CHANGES:
        file = folder / name
        text, found = re.subn(pattern, replacement, file.read_text(), flags=re.DOTALL)
        if found != 1:
            raise ValueError(f"{name} has {pattern!r} {found} times: write the changes of this file for today's source")
        file.write_text(text)
    return folder


def crd_of(operator: Path) -> dict[str, Any]:
    """The CustomResourceDefinition that belongs to an operator."""
    done = subprocess.run(
        [sys.executable, "-c", "from viridian.api.generators import crd; print(crd.render())"],
        env={**ENVIRONMENT, "PYTHONPATH": str(operator)},
        cwd=operator,
        stdout=subprocess.PIPE,
        check=True,
    )
    manifest: dict[str, Any] = yaml.safe_load(done.stdout)
    return manifest
