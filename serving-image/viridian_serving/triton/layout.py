"""Where the parts of Triton are: our image and NVIDIA's have them under /opt/tritonserver, a Python wheel elsewhere."""

import importlib.util
import shutil
import sys
import sysconfig
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from viridian_serving.artifacts.locate import ModelError

_STUB: Final = "triton_python_backend_stub"
_PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_LIBPYTHON: Final = f"libpython{_PYTHON}.so.1.0"


@dataclass(frozen=True)
class TritonLayout:
    """Paths of the parts that are used."""

    server: Path
    python_backend: Path
    stub: Path
    """The python backend's process for this interpreter's version."""
    libpython: Path | None
    """What that process is linked to; None where the system has it in place."""
    libraries: Path | None
    """Put on LD_LIBRARY_PATH; None where the image has them in place."""

    @classmethod
    def find(cls, home: Path) -> "TritonLayout":
        """Look for Triton, and for what it needs to run a model in Python: it would wait for that process for ever.

        Args:
            home: Installation directory as in NVIDIA's image.

        Returns:
            The layout; its files exist.

        Raises:
            ModelError: There is no Triton, none for this Python, or something that it needs is missing.
        """
        if (home / "bin" / "tritonserver").is_file():
            root, libraries = home, home / "lib"
        else:
            root, libraries = _wheel(home)
        backend = root / "backends" / "python"
        stubs = (root / "python_backend_stubs" / _PYTHON / _STUB, backend / _STUB)
        stub = next((path for path in stubs if path.is_file()), None)
        if stub is None:
            others = ", ".join(sorted(path.name for path in (root / "python_backend_stubs").glob("3.*"))) or "none"
            raise ModelError(
                f"Triton in {root} has no python backend for Python {_PYTHON} (it has: {others}); use one that it has"
            )
        if shutil.which("bash") is None:
            raise ModelError("Triton starts its python backend with bash, which is not on the PATH; install bash")
        server = root / "bin" / "tritonserver"
        return cls(server, backend, stub, _libpython(), libraries if libraries.is_dir() else None)

    @property
    def backends(self) -> list[str]:
        """The backends that are there, by name."""
        return sorted(folder.name for folder in self.python_backend.parent.iterdir() if folder.is_dir())

    def link_backends(self, target: Path) -> Path | None:
        """Make a directory of all backends in which the python backend's process is that of this interpreter.

        Args:
            target: Directory to create.

        Returns:
            A directory for LD_LIBRARY_PATH, which holds this interpreter's library and no other.
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
        if self.libpython is None:
            return None
        library = target.with_name("lib") / _LIBPYTHON
        library.parent.mkdir(exist_ok=True)
        library.unlink(missing_ok=True)
        library.symlink_to(self.libpython)
        return library.parent


def _wheel(home: Path) -> tuple[Path, Path]:
    """Find Triton, and its libraries, in the wheel that has them."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise ModelError(
            f"there is no Triton in {home}, and no wheel nvidia-pytriton; use the Viridian serving image, or install "
            "the wheel into this environment: pip install nvidia-pytriton==0.7.0"
        )
    numpy = version("numpy")
    if int(numpy.split(".")[0]) >= 2:
        raise ModelError(f"this Triton cannot exchange arrays with numpy {numpy}; pip install 'numpy<2'")
    package = Path(spec.origin).parent
    return package / "tritonserver", package.parent / "nvidia_pytriton.libs"


def _libpython() -> Path | None:
    configured = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    folders = (Path(sys.base_prefix, "lib"), configured, configured / (sysconfig.get_config_var("MULTIARCH") or "."))
    own = next((folder / _LIBPYTHON for folder in folders if (folder / _LIBPYTHON).is_file()), None)
    if own is None and find_library(f"python{_PYTHON}") is None:
        raise ModelError(
            f"Triton's python backend needs {_LIBPYTHON}, which this machine does not have; install it (on Debian and "
            f"Ubuntu: apt-get install libpython{_PYTHON}), or use a Python that brings it, such as conda's or uv's"
        )
    return own
