"""What is generated from the models and committed is up to date, and complete."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from viridian.api.generators import crd, generated, reference
from viridian.api.generators.structural import structural_schema
from viridian.api.spec import ModelDeploymentSpec

REPOSITORY = Path(__file__).resolve().parents[2]


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below this one, with its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield f"{path}[]", schema[keyword]
            yield from fields(schema[keyword], f"{path}[]")


@pytest.mark.parametrize("module", [crd, reference], ids=lambda module: module.MODULE)
def test_committed_files_are_what_the_models_say(module: Any) -> None:
    stale = generated.stale(module.FILES, REPOSITORY)
    assert stale == [], f"run `python -m {module.MODULE}` and commit the result"


def test_a_stale_file_is_named_with_the_command_that_renews_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # given a file that is up to date
    files = {"docs/page.md": lambda: "new\n"}
    assert generated.main("viridian.some.module", files, ["--root", str(tmp_path)]) == 0
    assert generated.main("viridian.some.module", files, ["--root", str(tmp_path), "--check"]) == 0

    # when it is changed by hand
    (tmp_path / "docs" / "page.md").write_text("old\n")

    # then a check fails with a sentence, and writes nothing
    assert generated.main("viridian.some.module", files, ["--root", str(tmp_path), "--check"]) == 1
    assert (
        "docs/page.md is not what the models say now: run `python -m viridian.some.module`" in capsys.readouterr().err
    )
    assert (tmp_path / "docs" / "page.md").read_text() == "old\n"


def test_every_field_is_described() -> None:
    root = crd.crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    named = [(path, field) for path, field in fields(root) if not path.startswith(".metadata") and path[-2:] != "[]"]
    assert [path for path, field in named if not field.get("description")] == []
    # One sentence or more, with its full stop: they are read one after the other in `kubectl explain`.
    assert [path for path, field in named if not field["description"].endswith(".")] == []


def test_every_number_of_the_spec_has_both_bounds() -> None:
    numbers = [
        (path, field)
        for path, field in fields(structural_schema(ModelDeploymentSpec))
        if field.get("type") == "integer"
    ]
    assert numbers
    assert [path for path, field in numbers if not {"minimum", "maximum"} <= set(field)] == []


def test_every_rule_has_a_sentence() -> None:
    root = crd.crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rules = [(path, rule) for path, field in fields(root) for rule in field.get("x-kubernetes-validations", [])]
    assert rules
    # The API server cuts a message after 2048 characters, and refuses one with a line break.
    assert [path for path, rule in rules if not 10 < len(rule["message"]) < 300 or "\n" in rule["message"]] == []


def test_the_reference_has_every_field() -> None:
    # given the page and the schema
    page = reference.render()
    root = crd.crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    # then each field has its row
    for path, _ in fields(root):
        if path.startswith((".spec.", ".status.")) and path[-2:] != "[]":
            assert f"| `{path.rpartition('.')[2]}` |" in page


def test_no_package_may_shadow_the_standard_library() -> None:
    # `operator/` is on the path of the tests: as a package it would hide the standard library's module of that name.
    assert not (REPOSITORY / "operator" / "__init__.py").exists()
