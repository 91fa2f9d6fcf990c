"""Each alert has a runbook, and what it says to run can be run."""

import re
import subprocess
from pathlib import Path

import pytest

from viridian.monitoring.groups import alerts, files
from viridian.monitoring.rule import Alert

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SECTIONS = ["Impact", "First look", "Causes, the likeliest first", "What to do", "Without the operator"]
PAGES = sorted(FOLDER.glob("*.md"))


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
    blocks = BLOCK.findall(page.read_text())
    assert blocks
    for block in blocks:
        done = subprocess.run(["bash", "-n", "-u"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_no_alert_reads_a_recorded_series_that_nobody_records() -> None:
    rules = [rule.manifest() for groups in files().values() for group in groups for rule in group.rules]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    read = {name for rule in rules for name in re.findall(r"\b(?:model|revision):[a-z0-9_]+:?[a-z0-9_]*", rule["expr"])}
    assert read - recorded == set()
