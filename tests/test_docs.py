"""What the documentation says of the tests is so."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
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
