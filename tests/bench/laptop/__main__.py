"""`make bench-laptop`: from an empty environment to the first prediction; build/bench-laptop.json.

What a data scientist types by docs/guides/import.md: an environment, pip install, viridian import, viridian-serve.
pip has no cache, so that all is downloaded. Training the model is not counted.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.component.harness.loopback import open_url
from tests.ports import free_port
from tests.serving.pod import ROOT
from tests.waiting import eventually

_RESULT: Final = ROOT / "build" / "bench-laptop.json"
_LONGEST: Final = 120.0
"""Seconds for all of it."""
_TRAIN: Final = """
import joblib
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier

rows, labels = load_wine(return_X_y=True, as_frame=True)
joblib.dump(RandomForestClassifier(random_state=0).fit(rows, labels), "wine.joblib")
rows.assign(kind=labels).to_csv("wine.csv", index=False)
"""
_VERSION: Final = Path("wine", "v1.0.0")


def main() -> int:
    """Type it all, print, write.

    Returns:
        0 when it took no longer than it may, else 1.
    """
    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began, used = time.monotonic(), _cpu()
        yield
        seconds[step], cpu[step] = round(time.monotonic() - began, 1), round(_cpu() - used, 1)
        print(f"{step:<12} {seconds[step]:6.1f} s, {cpu[step]:6.1f} s of CPU", flush=True)

    with tempfile.TemporaryDirectory(prefix="bench-laptop-") as made:
        folder = Path(made)
        programs = folder / "viridian-serve" / "bin"
        with timed("environment"):
            _run(folder, sys.executable, "-m", "venv", "viridian-serve")
        with timed("install"):
            _run(folder, f"{programs}/pip", "install", "--no-cache-dir", f"{ROOT}/serving-image[import]")
        _run(folder, f"{programs}/python", "-c", _TRAIN)
        importing = ("wine.joblib", "--sample", "wine.csv", "--target", "kind", "--name", "wine", "--trusted")
        with timed("import"):
            _run(folder, f"{programs}/viridian", "import", *importing)
        with timed("serve"):
            _served(folder, programs)
    total, load = round(sum(seconds.values()), 1), round(os.getloadavg()[0], 1)
    _RESULT.parent.mkdir(exist_ok=True)
    result = {"seconds": seconds, "cpu": cpu, "total": total, "load": load, "cores": os.cpu_count()}
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{'all':<12} {total:6.1f} s, {sum(cpu.values()):6.1f} s of CPU; load {load} on {os.cpu_count()} cores")
    return 0 if total <= _LONGEST else 1


def _cpu() -> float:
    """Seconds that the programs which have ended have computed: a busy machine changes these less."""
    used = os.times()
    return used.children_user + used.children_system


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _environment() -> dict[str, str]:
    """The user's own, without what makes this repository's sources found."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _served(folder: Path, programs: Path) -> None:
    """Serve the version, until it answers its own sample."""
    port = free_port()
    sample = (folder / _VERSION / "sample.json").read_bytes()
    command = (f"{programs}/viridian-serve", str(_VERSION), "--port", str(port))
    with (folder / "served.txt").open("w") as log:
        serving = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=log, stderr=log)
    try:
        eventually(lambda: serving.poll() is not None or _answers(port, sample), "the first prediction")
        if serving.poll() is not None:
            raise SystemExit((folder / "served.txt").read_text())
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)


def _answers(port: int, sample: bytes) -> bool:
    try:
        with open_url(urllib.request.Request(f"http://127.0.0.1:{port}/predict", sample), timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
