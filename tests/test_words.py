"""One word for one thing: names that were given up are in no code and no page any more."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OPERATOR = (
    "operator/viridian/**/*.py",
    "tests/controller/**/*.py",
    "tests/rollout/**/*.py",
    "tests/guards/*.py",
    "tests/metrics/*.py",
    "tests/kube/*.py",
)
DOCS = ("README.md", "docs/**/*.md", "dev/**/*.md", "dev/mutants/*.py")


@dataclass(frozen=True)
class Renamed:
    """A name that was given up, as a regular expression for whole words, what it is called now, and where to look."""

    old: str
    new: str
    where: tuple[str, ...] = (*OPERATOR, *DOCS)


SERVING = ("serving-image/**/*.py", "tests/serving/**/*.py", "tests/fuzz/*.py")
IN_CODE = OPERATOR
"""For words that mean something else in sentences."""

RENAMED = (
    # the serving image
    Renamed("_?[Jj]oiner", "DynamicBatcher", SERVING),
    Renamed(r"Interest|(?<=\.)interest", "Demand", SERVING),
    Renamed("class Seen|request_context import Seen", "RequestContext", SERVING),
    Renamed("_?Plea|plea", "_FallbackRequest", SERVING),
    Renamed("Rescue", "FallbackReason", SERVING),
    Renamed("Beside", "ModelAssets", SERVING),
    Renamed("Meaning|meaning_of", "FeatureMetadata, feature_metadata", SERVING),
    Renamed("welcome", "quickstart", SERVING),
    Renamed("Shipper", "BatchExporter", SERVING),
    Renamed("_?patience", "client_timeout, abandoned_after", ("serving-image/**/*.py",)),
    Renamed("ModelWatch|LiveWatch|StableWatch", "HealthCheck, FileWatch, StablePoller", SERVING),
    Renamed("Observations", "ModelMetrics", SERVING),
    # reconciling
    Renamed("Hands", "Applier"),
    Renamed("carry_out", "Applier.apply"),
    Renamed("[Ss]etbacks?|_set_back", "ApplyFailure, FailureTracker", IN_CODE),
    Renamed(r"overcome(?=\()|stumble(?=\()|(?<=\.)meet(?=\()", "clear, record_api_error, record", IN_CODE),
    Renamed("_?put_up", "ensure"),
    # guarding
    Renamed("EvidenceBook", "GuardMonitor"),
    Renamed(r"Watch|(?<=_monitor\.)watch(?=\()|(?<= monitor\.)watch(?=\()", "GuardSession, sync_session", IN_CODE),
    Renamed("take_in", "ingest"),
    Renamed("Inquirer|inquirer", "UserQueryPoller"),
    Renamed("_Flow", "_TrafficSeen"),
    Renamed("Heard|hear", "PodReports, summarize_reports", ("operator/viridian/controller/**/*.py",)),
    Renamed("is_watched|watched_since", "is_monitored, monitored_since"),
    # cache and resync
    Renamed(r"is_doubted|_doubts|(?<=\.)doubt(?=\()|(?<=\.)trust(?=\()", "is_dirty, mark_dirty, mark_clean"),
    Renamed("Resting|Edits", "ExpectedChildren, ChildEventHandler", ("operator/viridian/controller/**/*.py",)),
    Renamed("_?Sight|_sight", "CachedModel, ObservedLease", IN_CODE),
    Renamed("Sweep|sweep(?!_period|Period)", "Resync", ("operator/viridian/**/*.py",)),
    Renamed(r"def (saw|lost)(?=\()|\.saw(?=\()", "on_upsert, on_delete; on_model_event", IN_CODE),
    # rollout
    Renamed("take_back|_turn_back|_turning", "roll_back"),
    Renamed("View", "RolloutContext", IN_CODE),
    Renamed(r"view", "context", ("operator/viridian/rollout/**/*.py", "tests/rollout/**/*.py")),
    Renamed(r"story|_\w+_story|_praise", "messages, promotion_summary", ("operator/viridian/**/*.py",)),
    Renamed("endings", "rollback", IN_CODE),
    Renamed("PinnedRevision|add_pin|_still_pinned|_pin_reason|_pin_of", "BlockedRevision"),
    # guards
    Renamed(r"judge import .*\bEvidence", "Observation", IN_CODE),
    Renamed("Tally|_tally", "RequestCounts"),
    Renamed("allot", "allocate_alpha"),
    Renamed("Doubt|doubts?", "Attribution", ("operator/viridian/**/*.py",)),
    Renamed(
        r"listen(?=\()|Look(?=\()|Run(?=\()|heard(?=\()",
        "check_liveness, Tick, SilentPeriod, expected_answers",
        ("operator/viridian/guards/*.py",),
    ),
    Renamed("(MUCH_)?(PATIENCE|patience)", "a name for each wait", ("operator/viridian/**/*.py",)),
)


def files(patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from ROOT.glob(pattern)


@pytest.mark.parametrize("renamed", RENAMED, ids=lambda renamed: renamed.old)
def test_a_name_that_was_given_up_is_used_nowhere(renamed: Renamed) -> None:
    word = re.compile(rf"(?<!\w)(?:{renamed.old})(?!\w)")
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files(renamed.where)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if word.search(line)
    ]
    assert not found, f"it is called {renamed.new} now"


@pytest.mark.parametrize("pattern", sorted({pattern for renamed in RENAMED for pattern in renamed.where}))
def test_every_place_that_is_searched_exists(pattern: str) -> None:
    assert any(True for _ in files((pattern,)))
