"""The steps of `examples/ci` that make and check a version; those with a cluster are in a component test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.importing
ROOT = Path(__file__).parents[2]
STEPS = ROOT / "examples" / "ci" / "steps"


def test_a_trained_model_is_imported_and_checked_by_the_steps(tmp_path: Path) -> None:
    from tests.importing import makers

    # given a model, its sample, and the command as pip would install it
    made = makers.churn(tmp_path / "given")
    (tmp_path / "viridian").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m viridian_import.commands.main "$@"\n')
    (tmp_path / "viridian").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'serving-image'}:{ROOT}"}

    def step(name: str, *arguments: str) -> str:
        command = [str(STEPS / name), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # when
    said = step("import.sh", str(made.model), str(made.sample), made.target, "churn", "v1.2.0")
    # then there is a version, and it is served and answers
    assert "faithful" in said
    assert (tmp_path / "churn" / "v1.2.0" / "golden.jsonl").is_file()
    assert "golden requests are answered as written down" in step("check.sh", "churn/v1.2.0")
