"""What a rule reads from other groups."""

import re

import pytest

from viridian.monitoring.groups import files
from viridian.monitoring.rule import Group, Recording

GROUPS = [group for groups in files().values() for group in groups]
RECORDED = {rule.name: group.name for group in GROUPS for rule in group.rules if isinstance(rule, Recording)}
_SERIES = re.compile(r"\b(?:model|revision):[a-z0-9_]+:[a-z0-9_]+|\bviridian_[a-z0-9_]+")
_SUBTRACTED = re.compile(r"^\s*- |\) - ", re.MULTILINE)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_counts_of_pods_are_subtracted_from_nothing_that_another_group_recorded(group: Group) -> None:
    """A rate of another group is older by up to an interval: while traffic changes, the difference would be wrong."""
    for rule in group.rules:
        read = set(_SERIES.findall(rule.expr))
        raw = {name for name in read if ":" not in name and not name.startswith("viridian_operator_")}
        others = {name for name in read if ":" in name and RECORDED[name] != group.name}
        assert not (raw and others and _SUBTRACTED.search(rule.expr)), f"{raw} and {others} in {rule}"
