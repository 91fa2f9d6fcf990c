"""Where the parts of Triton are: our image and NVIDIA's have them under /opt/tritonserver, a Python wheel elsewhere."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from viridian_serving.model_source import ModelError

_STUB = "triton_python_backend_stub"


@dataclass(frozen=True)
class TritonLayout:
    """Paths of the parts that are used."""

    server: Path
    python_backend: Path
    stub: Path
    """The python backend's process for this interpreter's version."""
    libraries: Path | None
    """Put on LD_LIBRARY_PATH; None where the image has them in place."""

    @classmethod
    def find(cls, home: Path) -> "TritonLayout":
        """Look for Triton.

        Args:
            home: Installation directory as in NVIDIA's image.

        Returns:
            The layout; its files exist.

        Raises:
            ModelError: There is no Triton, or none for this Python.
        """
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        if (home / "bin" / "tritonserver").is_file():
            root, libraries = home, home / "lib"
        else:
            spec = importlib.util.find_spec("pytriton")
            if spec is None or spec.origin is None:
                raise ModelError(f"no Triton in {home} and no nvidia-pytriton wheel; use the Viridian serving image")
            package = Path(spec.origin).parent
            root, libraries = package / "tritonserver", package.parent / "nvidia_pytriton.libs"
        backend = root / "backends" / "python"
        stubs = (root / "python_backend_stubs" / version / _STUB, backend / _STUB)
        stub = next((path for path in stubs if path.is_file()), None)
        if stub is None:
            raise ModelError(f"Triton in {root} has no python backend for Python {version}; use a matching interpreter")
        return cls(root / "bin" / "tritonserver", backend, stub, libraries if libraries.is_dir() else None)

    @property
    def backends(self) -> list[str]:
        """The backends that are there, by name."""
        return sorted(folder.name for folder in self.python_backend.parent.iterdir() if folder.is_dir())

    def link_backends(self, target: Path) -> None:
        """Make a directory of all backends in which the python backend's process is that of this interpreter.

        Args:
            target: Directory to create.
        """
        python = target / self.python_backend.name
        python.mkdir(parents=True)
        for name in self.backends:
            if name != python.name:
                (target / name).symlink_to(self.python_backend.parent / name)
        for entry in self.python_backend.iterdir():
            if entry.name not in (_STUB, "__pycache__"):
                (python / entry.name).symlink_to(entry)
        (python / _STUB).symlink_to(self.stub)
