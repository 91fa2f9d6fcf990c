"""The command, as somebody runs it."""

from pathlib import Path
from typing import Any

import pytest
from tests.importing.command.running import Ran

from viridian_import.commands.main import main


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; a version is written to ``out/v1``."""

    def running(made: Any, *more: str, trusted: bool = True, served: bool = False) -> Ran:
        folder = tmp_path / "out" / "v1"
        arguments = ["import", str(made.model), "--sample", str(made.sample), "--out", str(folder), *more]
        arguments += ["--target", made.target] if made.target else []
        arguments += (["--trusted"] if trusted else []) + ([] if served else ["--no-check"])
        code = main(arguments)
        return Ran(code, *capfd.readouterr(), folder)

    return running
