"""What the pods of a candidate say of themselves, put together: whether stable can answer for them, what failed."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from viridian.metrics.prometheus import PodSamples
from viridian.metrics.said import Fallback, most_frequent
from viridian.rollout.observed import Cover
from viridian_shared.counts.covers import Covers

_COVERS: dict[str, Cover] = {
    Covers.ALL: Cover.ALL,
    Covers.SELF: Cover.ALL,  # it became stable a moment ago
    Covers.SOME: Cover.SOME,
    Covers.NONE: Cover.NONE,
    Covers.OFF: Cover.NONE,
    Covers.UNKNOWN: Cover.UNKNOWN,
}
"""A pod's own words; a later image may have others, which say nothing here."""
_FROM_WORST = (Cover.NONE, Cover.SOME, Cover.ALL, Cover.UNKNOWN, Cover.UNSAID)
"""What one pod says counts for all; one that does not know yet is waited for only while none does."""


@dataclass(frozen=True)
class PodReports:
    """How much stable can answer, why not all as a sentence, and what most requests failed with as another."""

    cover: Cover = Cover.UNKNOWN
    no_fallback: str = ""
    failure: str = ""


def summarize_reports(pods: Mapping[str, PodSamples], version: str, oldest: float) -> PodReports:
    """Put together what pods say.

    Args:
        pods: of the candidate's revision.
        version: of the candidate, for sentences.
        oldest: what was scraped before (seconds since the epoch) is no news.
    """
    failure = most_frequent(each for pod in pods.values() for each in pod.failures)
    said: dict[Cover, Counter[Fallback | None]] = defaultdict(Counter)
    for pod in pods.values():
        if pod.scraped_at >= oldest:
            said[_cover_of(pod.fallback)][pod.fallback] += 1
    cover = next((each for each in _FROM_WORST if each in said), Cover.UNKNOWN)
    ((why, _),) = said[cover].most_common(1) or [(None, 0)]
    return PodReports(cover, _sentence(cover, why, version), failure)


def _cover_of(said: Fallback | None) -> Cover:
    return Cover.UNSAID if said is None else _COVERS.get(said.covers, Cover.UNSAID)


def _sentence(cover: Cover, why: Fallback | None, version: str) -> str:
    if why is None or cover not in {Cover.NONE, Cover.SOME}:
        return ""
    if why.covers == Covers.OFF:
        return f"stable does not answer for {version}: {why.reason}"
    what = f"for {version}" if cover is Cover.NONE else f"all that {version} takes"
    return f"stable cannot answer {what}: {why.reason}"
