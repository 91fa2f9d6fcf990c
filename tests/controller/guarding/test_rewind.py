"""After a restart: earlier counters, read a few groups of models at a time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.controller.counters import INTERVAL, START, Fleet

from viridian.api.model_key import ModelKey
from viridian.controller.guarding.own_pods import OwnPods
from viridian.controller.guarding.rewind import GROUPS, TRIES, Rewind, group_stamps
from viridian.metrics.connection import MetricsError
from viridian.metrics.prometheus import SCRAPES, Samples

SPAN = 15.0


def key(number: int) -> ModelKey:
    return ("default", f"m-{number:03}")


class Archive:
    """A Prometheus that has the counters of fleets at every interval, as many as a query looks back over."""

    def __init__(self) -> None:
        self.fleets: dict[ModelKey, list[Fleet]] = {}
        self.asked: list[tuple[frozenset[ModelKey], float, float]] = []
        self.bad: set[ModelKey] = set()
        self.down: set[ModelKey] = set()

    def keep(self, model: ModelKey, requests: dict[float, int]) -> None:
        """The model's candidate had completed so many requests at these stamps."""
        name = model[1]
        self.fleets[model] = [
            Fleet(name, stamp=stamp, requests={f"{name}-1": 10 * count, f"{name}-2": count})
            for stamp, count in requests.items()
        ]

    async def read(
        self, keys: Iterable[ModelKey], bounds: Sequence[float], at: float | None = None, back: float = 0.0
    ) -> dict[ModelKey, Samples | MetricsError]:
        assert at is not None
        wanted = frozenset(keys)
        self.asked.append((wanted, at, back))
        if wanted & self.down:
            raise MetricsError("Prometheus did not answer")
        found: dict[ModelKey, Samples | MetricsError] = {}
        for model in wanted:
            if model in self.bad:
                found[model] = MetricsError("twice")
                continue
            seen = [f for f in self.fleets[model] if at - SCRAPES * INTERVAL - back < f.stamp + 0.5 <= at]
            if seen:
                found[model] = _together([fleet.samples for fleet in seen])
        return found


def _together(scrapes: Sequence[Samples]) -> Samples:
    last = scrapes[-1]
    return {
        revision: {
            uid: type(pod)(
                tuple(c for scrape in scrapes for c in scrape[revision][uid].counters), pod.answered, pod.scraped_at
            )
            for uid, pod in pods.items()
        }
        for revision, pods in last.items()
    }


def rewind_of(archive: Archive, interval: float = INTERVAL) -> Rewind:
    """A Rewind that knows all pods of the archive's fleets."""
    pods = OwnPods(timedelta(seconds=interval))
    for model, fleets in archive.fleets.items():
        pods.note(model, [pod for fleet in fleets[:1] for pod in fleet.pods], datetime.now(UTC))
    return Rewind(archive, pods, interval)  # type: ignore[arg-type]


def steady(archive: Archive, model: ModelKey) -> None:
    archive.keep(model, {START + INTERVAL * n: 5 * n for n in range(200)})


async def test_counters_are_read_again_at_the_saved_timestamps_by_one_query_for_many_models() -> None:
    # given two hundred models whose evidence was saved within some seconds
    archive = Archive()
    stamps = {key(n): START + 40 + INTERVAL * (n % 7) for n in range(200)}
    for model in stamps:
        steady(archive, model)

    # when they are read
    found = await rewind_of(archive).read(stamps, [])

    # then one query brings each of them as it stood at its own stamp
    assert len(archive.asked) == 1
    assert found.keys() == stamps.keys()
    for model, snapshot in found.items():
        assert snapshot is not None
        assert not isinstance(snapshot, MetricsError)
        assert snapshot.stamp == stamps[model]
        candidate = snapshot.pods[f"{model[1]}-2"][f"pod-of-{model[1]}-2"]
        assert candidate.comparable.requests == 5 * (stamps[model] - START) / INTERVAL


async def test_stragglers_wait_so_that_the_queries_per_tick_are_constant() -> None:
    # given models whose evidence was saved at very different times
    archive = Archive()
    stamps = {key(n): START + 30.0 * n for n in range(8)}
    for model in stamps:
        steady(archive, model)
    rewind = rewind_of(archive)

    # when they are read tick by tick
    waiting, ticks = dict(stamps), 0
    while waiting:
        before = len(archive.asked)
        found = await rewind.read(waiting, [])
        assert len(archive.asked) - before <= GROUPS
        waiting = {model: stamp for model, stamp in waiting.items() if model not in found}
        ticks += 1

    # then all had their turn
    assert ticks == 3


async def test_models_that_cannot_be_read_hold_up_no_other() -> None:
    # given as many models in trouble as groups are read per tick, and one more
    archive = Archive()
    stamps = {key(n): START + 30.0 * n for n in range(GROUPS + 1)}
    for model in stamps:
        steady(archive, model)
    archive.down = {key(0), key(1)}
    archive.bad = {key(2)}
    rewind = rewind_of(archive)

    # when two ticks have passed
    first = await rewind.read(stamps, [])
    second = await rewind.read(stamps, [])

    # then those have their own error, and the other one its counters
    assert all(isinstance(first[key(n)], MetricsError) for n in range(GROUPS))
    assert not isinstance(second[key(GROUPS)], MetricsError)
    assert second[key(GROUPS)] is not None


async def test_a_past_that_cannot_be_used_is_done_without_after_a_few_tries() -> None:
    # given a model whose counters were scraped twice when its evidence was saved, and one in an outage
    archive = Archive()
    stamps = {key(0): START + 40, key(1): START + 400}
    for model in stamps:
        steady(archive, model)
    archive.bad, archive.down = {key(0)}, {key(1)}
    rewind = rewind_of(archive)
    # when it is asked for again and again
    answers = [await rewind.read(stamps, []) for _ in range(TRIES + 1)]
    # then what will not change is given up, and what may is not
    assert [isinstance(found[key(0)], MetricsError) for found in answers] == [True] * (TRIES - 1) + [False] * 2
    assert answers[-1][key(0)] is None
    assert all(isinstance(found[key(1)], MetricsError) for found in answers)


async def test_what_prometheus_has_forgotten_is_told_from_what_has_to_wait() -> None:
    archive = Archive()
    archive.keep(key(0), {})
    found = await rewind_of(archive).read({key(0): START}, [])
    assert found == {key(0): None}


async def test_what_pods_of_others_counted_is_no_part_of_a_models_past() -> None:
    # given a model, and series under its name of pods that are not its own
    archive = Archive()
    steady(archive, key(0))
    rewind = rewind_of(archive)
    for fleet in archive.fleets[key(0)]:
        fleet.pod = "stranger"
    # when its past is read, then they are not in it
    assert await rewind.read({key(0): START + 40}, []) == {key(0): None}


async def test_nothing_to_read_asks_nothing() -> None:
    archive = Archive()
    assert await rewind_of(archive).read({}, []) == {}
    assert archive.asked == []


@given(st.dictionaries(st.integers(0, 50).map(key), st.floats(0, 500), max_size=30))
def test_groups_hold_every_model_once_and_are_no_longer_than_allowed(stamps: dict[ModelKey, float]) -> None:
    groups = group_stamps(stamps, SPAN)
    assert sorted(model for group in groups for model in group) == sorted(stamps)
    for group in groups:
        assert max(stamps[model] for model in group) - min(stamps[model] for model in group) <= SPAN


@pytest.mark.parametrize(("interval", "groups"), [(1.0, 2), (15.0, 1)])
async def test_a_group_is_as_long_as_the_status_may_be_old(interval: float, groups: int) -> None:
    archive = Archive()
    stamps = {key(0): START, key(1): START + 25}
    for model in stamps:
        archive.keep(model, {})
    await rewind_of(archive, interval).read(stamps, [])
    assert len(archive.asked) == groups
