"""What `pip install ./serving-image` installs."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

from tests.serving.pod import ROOT

PACKAGES = ("serving-image/viridian_serving", "serving-image/viridian_import", "operator/viridian_shared")


def requirements(*names: str) -> list[str]:
    lines = [line for name in names for line in (ROOT / "requirements" / f"{name}.in").read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_it_needs_what_the_image_has_and_the_extra_what_importing_takes() -> None:
    # when
    project = tomllib.loads((ROOT / "serving-image" / "pyproject.toml").read_text())["project"]
    # then
    assert project["dependencies"] == requirements("serving-runtime", "triton")
    assert project["optional-dependencies"]["import"] == requirements("import")


def test_it_holds_every_file_of_its_sources_and_starts_from_them(tmp_path: Path) -> None:
    # given the sources alone, since a build leaves files among them
    for folder in ("serving-image", "operator/viridian_shared"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg*")
        )
    sources = {
        file.relative_to((tmp_path / package).parent).as_posix()
        for package in PACKAGES
        for file in (tmp_path / package).rglob("*")
        if file.is_file()
    }

    # when it is built
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={tmp_path}"]
    subprocess.run([*build, tmp_path / "serving-image"], check=True)
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as built:
        built.extractall(tmp_path / "installed")
        names = {name for name in built.namelist() if ".dist-info/" not in name}

    # then nothing is left out, and the pod's programs are found in it
    assert names == sources
    programs = "from viridian_serving.commands import api, fetch, serve, triton; import viridian_import.commands.main"
    environment = {"PYTHONPATH": str(tmp_path / "installed")}
    subprocess.run([sys.executable, "-c", programs], check=True, cwd=tmp_path, env=environment)
