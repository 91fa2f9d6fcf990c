"""Each alert has a runbook, and what it says to run can be run."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
from tests.monitoring.runbooks import FOLDER, PAGES, Target, blocks, inline

from viridian.cli.main import plugin
from viridian.monitoring.groups import alerts, files
from viridian.monitoring.rule import Alert

SECTIONS = ["Impact", "First look", "Causes, the likeliest first", "What to do", "Without the operator"]
REFERENCE = FOLDER.parent / "reference" / "metrics.md"


def test_each_alert_has_a_runbook_and_no_other_is_there() -> None:
    assert {page.stem for page in PAGES} == {alert.name for alert in alerts()} | {"go-back-by-hand"}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_leads_to_a_whole_runbook(alert: Alert) -> None:
    manifest = alert.manifest()
    assert manifest["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{alert.name}.md")
    text = (FOLDER / f"{alert.name}.md").read_text()
    assert text.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_runbook_are_a_shell_script(page: Path) -> None:
    scripts = blocks(page)
    assert scripts
    for script in (*scripts, *inline([page])):
        done = subprocess.run(["bash", "-n", "-u"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def plugin_commands() -> list[str]:
    lines = [line for page in PAGES for script in blocks(page) for line in script.splitlines()]
    return sorted({each.split("#")[0].strip() for each in (*lines, *inline()) if each.startswith("kubectl viridian")})


@pytest.mark.parametrize("command", plugin_commands())
def test_the_plugin_understands_the_commands_of_the_runbooks(command: str) -> None:
    # given the command as somebody would type it
    name, *arguments = shlex.split(Target("ml", "iris").script(command).splitlines()[-1])[2:]
    # when it is read, and not run
    found = plugin.get_command(click.Context(plugin), name)
    assert found is not None, f"there is no command {name}"
    context = found.make_context(name, arguments)
    # then each option and argument is one that it has
    assert context.params["name"] == "$MODEL"


def test_series_that_runbooks_name_are_in_the_reference() -> None:
    named = {name for page in PAGES for name in re.findall(r"\bviridian_[a-z_]+", page.read_text())}
    known = set(re.findall(r"\bviridian_[a-z_]+", REFERENCE.read_text()))
    assert named
    assert named - known == set()


def test_no_alert_reads_a_recorded_series_that_nobody_records() -> None:
    rules = [rule.manifest() for groups in files().values() for group in groups for rule in group.rules]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    read = {name for rule in rules for name in re.findall(r"\b(?:model|revision):[a-z0-9_]+:?[a-z0-9_]*", rule["expr"])}
    assert read - recorded == set()
