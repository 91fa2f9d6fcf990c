"""The contract between operator and serving image is written once, and both sides keep to it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from viridian_serving.settings.config import Settings
from viridian_shared.counts import metric_names, via
from viridian_shared.pod import check_variables, exit_codes, paths, ports, probes, variables

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "operator" / "viridian_shared"
SIDES = ("operator/viridian", "serving-image/viridian_serving", "serving-image/viridian_import")
OTHERS = {
    "operator/viridian/controller/runtime/configuration.py": {"VIRIDIAN_SCRAPE_INTERVAL", "VIRIDIAN_ALLOW_MODEL_CODE"},
    "serving-image/viridian_serving/contract/openapi.py": {"/live", "/ready"},
}
"""What only looks the same: the operator's own variables, which its chart sets; paths that clients may ask, too."""


def constants(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if name.isupper()}


def literals(file: Path) -> Iterator[tuple[int, str | int]]:
    """The texts and whole numbers in a file's code, with their lines; texts in one case, as headers have any."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    pieces = {id(piece) for node in nodes if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in nodes:
        if isinstance(node, ast.Constant) and id(node) not in pieces:
            match node.value:
                case bytes() as value:
                    yield node.lineno, value.decode("latin-1").lower()
                case str() as value:
                    yield node.lineno, value.lower()
                case int() as value if not isinstance(value, bool):
                    yield node.lineno, value


def contract() -> set[str | int]:
    modules = (check_variables, exit_codes, metric_names, paths, ports, probes, variables)
    values = {value for module in modules for value in constants(module).values() if isinstance(value, str | int)}
    # prometheus_client, and so a copy, may name a counter without the end that every counter's series has
    bare = {name.removesuffix("_total") for name in constants(metric_names).values() if isinstance(name, str)}
    return {value.lower() if isinstance(value, str) else value for value in {*values, *bare, via.HEADER}}


@pytest.mark.parametrize("side", SIDES)
def test_neither_side_writes_it_again(side: str) -> None:
    # given
    known = contract()
    files = list((ROOT / side).rglob("*.py"))
    # when
    found = [
        f"{name}:{line}: {value!r}"
        for file in files
        for line, value in literals(file)
        if value in known
        and (name := file.relative_to(ROOT).as_posix())
        and value not in {other.lower() for other in OTHERS.get(name, ())}
    ]
    # then
    assert len(files) > 20
    assert not found, "import it from viridian_shared"


def test_what_only_looks_the_same_is_still_there() -> None:
    for name, others in OTHERS.items():
        assert {other.lower() for other in others} <= {value for _, value in literals(ROOT / name)}


def test_the_serving_image_reads_every_variable_that_the_operator_sets() -> None:
    # given
    read = {variables.PREFIX + name.upper() for name in Settings.model_fields}
    # then
    assert set(constants(variables).values()) - {variables.PREFIX} <= read


def test_it_needs_nothing_but_python() -> None:
    # given
    imported = {
        name.partition(".")[0]
        for file in SHARED.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    # then
    assert imported - {SHARED.name} <= sys.stdlib_module_names
