"""One version for wheels and chart, and a changelog that knows it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from viridian_shared import __version__

ROOT = Path(__file__).parents[1]
SEMANTIC = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?"
SECTION = re.compile(rf"^## \[(Unreleased|{SEMANTIC})\]( - \d{{4}}-\d\d-\d\d)?$", re.MULTILINE)


def project(folder: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


def test_the_version_is_semantic() -> None:
    assert re.fullmatch(SEMANTIC, __version__)


@pytest.mark.parametrize("folder", [".", "serving-image"])
def test_each_wheel_takes_the_version_from_the_one_place(folder: str) -> None:
    # given
    told = project(folder)
    # then
    assert "version" not in told["project"]
    assert told["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "viridian_shared.__version__"}


@pytest.mark.parametrize("key", ["version", "appVersion"])
def test_the_chart_repeats_the_version(key: str) -> None:
    chart = yaml.safe_load((ROOT / "charts" / "viridian" / "Chart.yaml").read_text())
    assert chart[key] == __version__


def test_the_changelog_begins_with_what_is_not_released() -> None:
    # given
    text = (ROOT / "CHANGELOG.md").read_text()
    titles = re.findall(r"^## .*$", text, re.MULTILINE)
    # then
    assert titles[0] == "## [Unreleased]"
    assert all(SECTION.fullmatch(title) for title in titles)


def test_the_krew_manifest_names_the_archive_of_this_version() -> None:
    # given the template as dev/images/release.sh fills it in
    text = (ROOT / "dev" / "krew" / "krew.yaml.in").read_text()
    for name, value in (("VERSION", __version__), ("REPOSITORY", "example/viridian"), ("SHA256", 64 * "0")):
        text = text.replace(f"@{name}@", value)
    # when
    manifest = yaml.safe_load(text)
    platform = manifest["spec"]["platforms"][0]
    # then
    assert manifest["spec"]["version"] == f"v{__version__}"
    assert platform["uri"].endswith(f"/v{__version__}/kubectl-viridian-{__version__}.tar.gz")
    assert (ROOT / "dev" / "krew" / platform["bin"]).stat().st_mode & 0o111


def test_the_plugin_s_packages_are_those_that_are_tested() -> None:
    # given
    pinned = re.compile(r"^([\w-]+)==(\S+)", re.MULTILINE)
    plugin, tested = (
        dict(pinned.findall((ROOT / "requirements" / f"{name}.txt").read_text())) for name in ("cli", "dev")
    )
    # then
    assert {"click", "rich", "pydantic", "pyyaml"} <= plugin.keys()
    # numpy, of which each Python needs another; the tests have that of Triton, which takes no later one
    assert plugin.pop("numpy") > tested["numpy"]
    assert plugin.items() <= tested.items()
