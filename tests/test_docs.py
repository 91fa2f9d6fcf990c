"""What the documentation says of the tests is so."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from viridian.api.errors import ConfigurationError, ViridianError
from viridian.kube.errors import Refused, Unavailable

TESTS = Path(__file__).parent
OPERATOR = TESTS.parent / "operator" / "viridian"
STATUS = TESTS.parent / "docs" / "status.md"
REASON = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
SAY_A_REASON = {"_Claim", "held", "Notice", "warn"}
"""Functions of which an argument is the reason of a condition, of a hold or of an Event."""
ARCHITECTURE = TESTS.parent / "docs" / "architecture.md"
NAMED = re.compile(r"`((?:[a-z0-9_]+/)+test_\w+\.py)(?:: (\w+))?`")
"""A test as the documentation names it: its file below `tests/`, and its function."""


def named() -> list[tuple[str, str]]:
    return sorted(set(NAMED.findall(ARCHITECTURE.read_text())))


@pytest.mark.parametrize(("file", "name"), named())
def test_every_test_that_the_rules_name_is_there(file: str, name: str) -> None:
    text = (TESTS / file).read_text()
    assert not name or re.search(rf"^\s*(async )?def {name}\(", text, re.MULTILINE)


def test_every_rule_has_a_test() -> None:
    rules = ARCHITECTURE.read_text().partition("## Rules and their tests")[2]
    rows = [row for row in rules.splitlines() if row.startswith("| ") and not row.startswith("| rule")]
    assert len(rows) >= 70
    for row in rows:
        assert NAMED.search(row) or "`World." in row, row


def reasons() -> set[str]:
    """What the code can put into the reason of a condition or an Event, or into the result of a rollout."""
    trees = [ast.parse(file.read_text()) for file in (OPERATOR / "rollout").rglob("*.py")]
    found = {text for tree in trees for text in compound_words(tree)}
    for file in OPERATOR.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and name_of(node.func) in SAY_A_REASON:
                found.update(words(node.args))
            if isinstance(node, ast.keyword) and node.arg in {"reason", "result"}:
                found.update(words([node.value]))
    # The reason of what keeps the operator from looking after a model is the name of the error.
    ours = {error for error in ViridianError.__subclasses__() if error.__module__ == ViridianError.__module__}
    return found | {error.__name__ for error in {*ours, Refused, Unavailable} - {ConfigurationError}}


def compound_words(tree: ast.AST) -> Iterator[str]:
    for text in words(list(ast.walk(tree))):
        if re.search("[a-z][A-Z]", text):
            yield text


def words(nodes: list[ast.AST] | list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and REASON.fullmatch(node.value):
            yield node.value


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_every_reason_that_the_code_can_say_is_explained() -> None:
    explained = set(re.findall(r"`(\w+)`", STATUS.read_text()))
    assert len(reasons()) > 40
    assert reasons() - explained == set()
