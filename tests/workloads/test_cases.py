"""A table of pairs: `cases/NAME/in.yaml` is what a user applies, `out.yaml` all that the operator makes of it.

What is written verbatim in several places stands once in out.yaml, and the other places refer to it (`*id001`).
VIRIDIAN_UPDATE_CASES=1 writes every out.yaml anew; then read the difference before you commit it.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.workloads.children import render

from viridian.api.spec import ModelDeploymentSpec
from viridian.workloads.owner import Owner

CASES = sorted(folder for folder in (Path(__file__).parent / "cases").iterdir() if folder.is_dir())
UPDATE = os.environ.get("VIRIDIAN_UPDATE_CASES") == "1"


def manifests_for(document: dict[str, Any]) -> dict[str, Any]:
    metadata = document["metadata"]
    owner = Owner(metadata["name"], metadata["namespace"], metadata["uid"])
    items = render(ModelDeploymentSpec.model_validate(document["spec"]), owner).manifests
    return {"apiVersion": "v1", "kind": "List", "items": items}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_spec_in_manifests_out(case: Path) -> None:
    # given what a user applied
    document = yaml.safe_load((case / "in.yaml").read_text())

    # when its children are rendered
    made = manifests_for(document)

    # then they are what the table says
    out = case / "out.yaml"
    if UPDATE:
        out.write_text(yaml.safe_dump(made, sort_keys=False, width=120, allow_unicode=True))
    assert made == yaml.safe_load(out.read_text())


def test_a_table_that_was_written_anew_does_not_pass_for_a_tested_one() -> None:
    assert not UPDATE, "the cases were written, not tested: unset VIRIDIAN_UPDATE_CASES and run again"
