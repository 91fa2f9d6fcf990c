"""`kubectl viridian digest` of what is in a store: the same as that of the files themselves."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving.places import PLACES, Place, hf_place
from tests.serving.store_servers import cut_after

from viridian.cli.main import main
from viridian_shared.digest import digest_of

FILES = {"model.onnx": b"0123456789" * 30_000, "a folder/labels.txt": b"cat\n"}


@pytest.fixture(
    params=[
        pytest.param("s3", marks=pytest.mark.serving),
        "az",
        "hf",
        pytest.param("mlflow", marks=pytest.mark.serving),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with PLACES[request.param](tmp_path / "store") as place:
        for name, content in FILES.items():
            place.put(f"v1/{name}", content)
            (tmp_path / "v1" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "v1" / name).write_bytes(content)
        for key, value in place.good.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("NO_PROXY", "*")
        yield place


def digest(place: Place, path: str) -> int:
    authorities = ["--ca", str(place.server.ca)] if place.server.ca is not None else []
    return main(["digest", f"{place.base}{path}", "--endpoint", place.server.url, *authorities])


def test_a_folder_and_a_file_of_a_store(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # given a connection that breaks once
    place.server.faults = [cut_after(100_000)]
    # then
    for path in ("v1", "v1/model.onnx"):
        assert digest(place, path) == 0
        assert capsys.readouterr().out == f"{digest_of(tmp_path / path)}\n"


def test_what_cannot_be_read(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert digest(place, "nothing") == 1
    assert "correct the address" in capsys.readouterr().err


def test_without_the_clients_of_stores(tmp_path: Path) -> None:
    # given the operator's package alone
    with hf_place(tmp_path) as place:
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, f"{place.base}x"], capture_output=True, text=True, check=False
        )
    # then it says how to get the rest
    assert done.returncode == 1
    assert "pip install ./serving-image" in done.stderr


WITHOUT = """
import sys
sys.modules["viridian_serving"] = None
from viridian.cli.main import main
sys.exit(main(["digest", sys.argv[1]]))
"""
