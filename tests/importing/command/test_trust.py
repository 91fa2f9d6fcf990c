"""What a pickle may do while it is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.importing


def test_a_pickle_is_not_loaded_without_trust(tmp_path: Path, run: Any) -> None:
    # given
    import joblib
    from tests.importing import makers

    file, marker = tmp_path / "m.joblib", tmp_path / "ran"
    sample = tmp_path / "train.csv"
    makers.customers(10).to_csv(sample)
    joblib.dump(_Touching(str(marker)), file)
    # when
    ran = run(makers.Made(file, sample, None, None), trusted=False)
    # then
    assert ran.code == 1
    assert "is a pickle, and loading one runs the code that is in it" in ran.err
    assert not marker.exists()


class _Touching:
    """Writes its environment, and whether it reaches a server, when it is loaded."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (_PROGRAM.format(marker=self.marker),))


_PROGRAM = """
import json, os, socket
try:
    socket.create_connection(("127.0.0.1", int(open("{marker}.port").read())), 5).close()
    reached = True
except OSError:
    reached = False
open("{marker}", "w").write(json.dumps([reached, dict(os.environ)]))
"""


def test_a_pickle_that_is_trusted_has_neither_network_nor_environment(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a server, a secret, and a pickle that looks for both
    import socket

    import joblib
    from tests.importing import makers

    monkeypatch.setenv("CLOUD_SECRET", "hunter2")
    file, marker, sample = tmp_path / "m.joblib", tmp_path / "ran", tmp_path / "train.csv"
    makers.customers(10).to_csv(sample)
    joblib.dump(_Touching(str(marker)), file)
    with socket.create_server(("127.0.0.1", 0)) as server:
        Path(f"{marker}.port").write_text(str(server.getsockname()[1]))
        # when
        ran = run(makers.Made(file, sample, None, None))
    # then
    assert ran.code == 1
    assert "holds a NoneType, and no model with predict(); save the model itself" in ran.err
    reached, environment = json.loads(marker.read_text())
    assert not reached
    assert "CLOUD_SECRET" not in environment
