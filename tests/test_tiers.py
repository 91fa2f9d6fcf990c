"""`make test`: tiers in lanes, with a result and a time each, and an end that says what failed."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[1]
TIERS = REPOSITORY / "dev" / "test" / "tiers.py"
TIER = """#!/bin/sh
echo "this is $1"
case $1 in
  bad) exit 3 ;;
  first | second) touch "$1"; until [ -e first ] && [ -e second ]; do sleep 0.02; done ;;
  giving | keeping) cat /proc/self/autogroup || nice ;;
  endless) echo $$ > endless; exec sleep 600 ;;
esac
"""
REPORT = """<testsuites><testsuite tests="7" errors="1" failures="1" skipped="2">
<testcase classname="tests.test_route" name="test_weights[50]">
<failure message="assert 10 == 50&#10;  where">…</failure></testcase>
<testcase classname="tests.test_route" name="test_pins"><error message="no cluster">…</error></testcase>
<testcase classname="tests.test_route" name="test_path"/>
</testsuite></testsuites>"""
FAILED = """\
    tests.test_route::test_weights[50]: assert 10 == 50 where
    tests.test_route::test_pins: no cluster
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The runner, with a program that plays the tiers."""
    program = tmp_path / "tier"
    program.write_text(TIER)
    program.chmod(0o755)
    (tmp_path / "build").mkdir()
    return [sys.executable, str(TIERS), str(program)]


def run(command: list[str], *lanes: str) -> "subprocess.CompletedProcess[str]":
    folder = Path(command[-1]).parent
    return subprocess.run([*command, *lanes], cwd=folder, capture_output=True, text=True, timeout=120)


def test_lanes_run_side_by_side_and_each_tier_has_its_result_and_time(command: list[str]) -> None:
    # given a report of a tier's tests, and two tiers that end only if both run
    (Path(command[-1]).parent / "build" / "tests-first.xml").write_text(REPORT)
    # when
    done = run(command, "first,quick", "second")
    # then
    assert done.returncode == 0
    assert FAILED in done.stdout
    lines = done.stdout.replace(FAILED, "").splitlines()
    rows = [line.split()[:6] for line in lines]
    assert rows[:3] == [
        ["first", "passed", "3", "passed", "2", "failed"],
        ["quick", "passed", "0", "passed", "0", "failed"],
        ["second", "passed", "0", "passed", "0", "failed"],
    ]
    assert re.fullmatch(r"3 passed, 2 failed, 2 skipped in \d+ s, and \d+ s of CPU", lines[3])
    assert "== second passed in" in done.stderr


@pytest.mark.parametrize("lanes", [("bad,quick",), ("bad,quick", "other")])
def test_what_failed_is_shown_and_the_rest_runs_all_the_same(command: list[str], lanes: tuple[str, ...]) -> None:
    done = run(command, *lanes)
    assert done.returncode == 1
    assert "this is bad" in done.stdout + done.stderr
    assert re.search(r"^  bad +FAILED ", done.stdout, re.MULTILINE)
    assert re.search(r"^  quick +passed ", done.stdout, re.MULTILINE)
    assert "Something failed: bad." in done.stderr


def test_lanes_before_the_last_give_way_to_it(command: list[str]) -> None:
    # given how a tier of this test's own priority shows it
    folder = Path(command[-1]).parent
    own = re.search(r"\d+$", subprocess.check_output([command[-1], "keeping"], text=True))
    assert own is not None
    # when
    run(command, "giving,other", "keeping")
    # then
    log = {tier: (folder / "build" / f"tests-{tier}.log").read_text().split() for tier in ("giving", "keeping")}
    assert (log["giving"][-1], log["keeping"][-1]) == ("10", own[0])


def test_an_interrupted_run_interrupts_its_tiers_and_begins_no_other(command: list[str]) -> None:
    # given a tier that does not end by itself
    folder = Path(command[-1]).parent
    process = subprocess.Popen([*command, "endless,quick", "other"], cwd=folder, stderr=subprocess.PIPE, text=True)
    eventually(lambda: (folder / "endless").exists() and (folder / "endless").read_text(), "the tier to begin")
    # when
    process.send_signal(signal.SIGINT)
    # then
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "== quick" not in told
    assert not Path(f"/proc/{(folder / 'endless').read_text().strip()}").exists()


@pytest.mark.parametrize("tier", ["serving", "component", "importing", "transformers", "e2e"])
def test_every_test_of_a_tier_is_where_the_tier_looks_for_it(tier: str) -> None:
    # given what the tier runs, and the modules with a test that is marked for it
    text = (REPOSITORY / "dev" / "test" / "tier.sh").read_text().replace("\\\n", "")
    (body,) = re.findall(rf"^{tier}\(\) \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    runs = [line for line in body.splitlines() if " -m " in line and "pytest" in line]
    places = {REPOSITORY / word for line in runs for word in shlex.split(line) if word.startswith("tests/")}
    marked = [file for file in (REPOSITORY / "tests").rglob("*.py") if f"pytest.mark.{tier}" in file.read_text()]
    # then it finds them all
    assert marked
    assert all(places & {file, *file.parents} for file in marked), (places, marked)
