"""Every reason for which a rollout stands or went back has an advice, and its link leads to a heading."""

import re
from pathlib import Path

import pytest
from tests.test_docs import STATUS, anchors, reasons

from viridian.cli.advice import ADVICE

ROOT = Path(__file__).parents[2]
NOTHING_TO_DO = {
    "Healthy",
    "Kept",
    "NoCandidate",
    "NoGateway",
    "NoStable",
    "NotServing",
    "Ready",
    "Serving",
    "Stable",
    "Unknown",
    "Watching",
    # how rollouts end well, or by the user's own edit of the spec
    "Promoted",
    "Restored",
    "Replaced",
    "Reverted",
    # a phase and a result: the reason is with the entry
    "Expired",
    "RolledBack",
    # Events only: the commands print them
    "CommandRefused",
    "DrillStarted",
    "DrillWaits",
    "UnknownField",
    "WatchEnded",
    "WatchStarted",
    # stable answers, or the message says why it is not known yet
    "PartlyCovered",
    "Unsaid",
}


def documented() -> set[str]:
    index = STATUS.read_text().partition("## Index of reasons\n")[2].partition("\n## ")[0]
    return set(re.findall(r"`(\w+)`", index))


def test_every_reason_of_the_index_has_an_advice_or_needs_none() -> None:
    assert documented() - set(ADVICE) - NOTHING_TO_DO == set()


def test_no_advice_is_for_a_reason_that_nothing_says() -> None:
    assert set(ADVICE) - documented() == set()
    assert set(ADVICE) & NOTHING_TO_DO == set()
    assert len(set(ADVICE) & reasons()) > 25


@pytest.mark.parametrize("reason", sorted(ADVICE))
def test_the_link_of_an_advice_leads_to_a_heading(reason: str) -> None:
    page, _, heading = ADVICE[reason].link.partition("#")
    assert heading in anchors(ROOT / page)
    assert ADVICE[reason].do.format(name="iris")
