"""A cluster for the commands."""

import json
from pathlib import Path

import pytest
from tests.cli.kubectl_double import KUBECTL, Cluster

from viridian.cli.model import Model


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A kubectl that knows one model: as it is, and as it is after each change."""

    def make(*states: Model) -> Path:
        kubectl = tmp_path / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        (tmp_path / "kubectl.model").write_text(json.dumps(states[0].manifest, indent=4))
        events = [{"type": "MODIFIED", "object": state.manifest} for state in states]
        (tmp_path / "kubectl.events").write_text("".join(f"{json.dumps(event)}\n" for event in events))
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return tmp_path / "kubectl.log"

    return make
