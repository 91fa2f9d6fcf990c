"""Manifests in the documentation can be applied as they stand, and leave room for the next model."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from viridian.cli.linting.lint import Level, lint

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every whole ModelDeployment of a page, with the page's path."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in BLOCK.findall(page.read_text()):
            if "\nkind: ModelDeployment\n" in block:
                for manifest in yaml.safe_load_all(block):
                    yield str(page.relative_to(ROOT)), manifest


FOUND = list(manifests())


def test_pages_have_manifests() -> None:
    assert {"README.md", "docs/guides/laptop.md", "docs/guides/install.md"} <= {page for page, _ in FOUND}


@pytest.mark.parametrize(("page", "manifest"), FOUND, ids=[page for page, _ in FOUND])
def test_a_manifest_of_a_page_is_accepted(page: str, manifest: dict[str, Any]) -> None:
    found = lint(manifest, None, timedelta(seconds=15))
    assert [finding for finding in found if finding.level is Level.ERROR] == []


@pytest.mark.parametrize(("page", "manifest"), FOUND, ids=[page for page, _ in FOUND])
def test_a_manifest_of_a_page_takes_one_path_of_its_gateway(page: str, manifest: dict[str, Any]) -> None:
    traffic = manifest["spec"].get("traffic", {})
    # Without a path it takes all of them, and a second model on that Gateway is refused.
    assert "parentRefs" not in traffic or traffic["path"].count("/") == 1
