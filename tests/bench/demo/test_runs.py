"""The figures of the series of demonstrations, and the load beside it."""

import subprocess
import sys

from . import busy as busy_module
from .busy import busy
from .runs import read_run, table

REPORT = {
    "requests_total": 14_871,
    "requests_failed_client": 3,
    "promotion_seconds": 71.5,
    "failures": [{"failure": "HTTP 503", "version": "", "period": "v2 applied, 0 % of the traffic on it", "count": 3}],
}


def test_a_run_that_lost_requests_is_not_clean_and_says_how() -> None:
    # given the report of a run that ended well but lost three requests
    run = read_run(1, 0, 148.2, 0, REPORT)

    # then it is not clean, and the table says how many, how and when
    assert run.ended_well
    assert not run.is_clean
    assert "| 14,871   | 3 " in table([run])
    assert "3 HTTP 503 (v2 applied, 0 % of the traffic on it)" in table([run])


def test_a_run_without_a_report_did_not_end_well() -> None:
    run = read_run(2, 2, 31.0, 1, None)
    assert not run.is_clean
    assert "**not as it should**" in table([run])


def test_a_run_is_clean_if_it_ended_well_and_lost_nothing() -> None:
    assert read_run(3, 2, 150.0, 0, {**REPORT, "requests_failed_client": 0, "failures": []}).is_clean
    assert not read_run(3, 2, 150.0, 1, {**REPORT, "requests_failed_client": 0, "failures": []}).is_clean


def test_the_load_ends_with_its_context() -> None:
    with busy(2, 60) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert None not in [process.poll() for process in processes]


def test_the_load_ends_by_itself() -> None:
    with busy(1, 0.1) as processes:
        assert processes[0].wait(30) == 0


def test_the_load_ends_when_its_parent_has_gone() -> None:
    # given a process that is told of a parent that it does not have
    orphan = [sys.executable, busy_module.__file__, "0", "60"]

    # then it ends at once
    assert subprocess.run(orphan, timeout=30, check=False).returncode == 0
