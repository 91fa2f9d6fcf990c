"""Many models in few queries: what one that fails costs the others."""

import itertools
from collections.abc import Iterable, Sequence

import pytest

from viridian.metrics.batches import ALONE, BATCH, GIVE_UP_AFTER, HALVES, LONGEST_PAUSE, Batches
from viridian.metrics.connection import MetricsError, QueryRefused, Unanswered

SIX = [f"m-{number:04}" for number in range(6 * BATCH)]
TWO = SIX[: BATCH + 60]


class Source:
    """Answers queries, but not those that ask for something too large, nor from the given one on."""

    def __init__(self, too_large: Iterable[str] = (), silent_from: int = 1 << 30) -> None:
        self.too_large, self.silent_from = frozenset(too_large), silent_from
        self.asked: list[Sequence[str]] = []

    async def ask(self, keys: Sequence[str]) -> dict[str, int | MetricsError]:
        self.asked.append(keys)
        if len(self.asked) > self.silent_from:
            raise Unanswered("Prometheus did not answer")
        if self.too_large & {*keys}:
            raise QueryRefused("Prometheus refused the query")
        return dict.fromkeys(keys, 1)


def blind(found: dict[str, int | MetricsError]) -> set[str]:
    return {key for key, value in found.items() if isinstance(value, MetricsError)}


@pytest.mark.parametrize("position", range(0, BATCH, 7))
async def test_one_that_is_too_large_is_found_at_once_wherever_it_stands(position: int) -> None:
    source = Source([TWO[position]])
    assert blind(await Batches[str, int]().read(TWO, source.ask)) == source.too_large
    assert len(source.asked) <= 2 + HALVES


async def test_several_that_are_too_large_are_found_one_by_one() -> None:
    # given some of them
    source, batches = Source(TWO[:BATCH:23]), Batches[str, int]()

    # when all are read as often as there are some, each time for a bounded number of queries
    for _ in source.too_large:
        source.asked.clear()
        found = await batches.read(TWO, source.ask)
        assert found.keys() == {*TWO}
        assert source.too_large <= blind(found)
        assert len(source.asked) <= 2 + HALVES + ALONE

    # then they alone are blind
    assert blind(found) == source.too_large


async def test_a_prometheus_that_refuses_all_costs_a_bounded_number_of_queries() -> None:
    # given a Prometheus with limits that no query keeps
    source, batches = Source(TWO), Batches[str, int]()
    for _ in range(100):
        source.asked.clear()
        assert blind(await batches.read(TWO, source.ask)) == {*TWO}
        assert len(source.asked) <= 2 + HALVES + ALONE

    # when its limits are raised, then all are seen again, a few more each time
    source.too_large = frozenset()
    for _ in range(LONGEST_PAUSE + len(TWO) // ALONE + 1):
        found = await batches.read(TWO, source.ask)
    assert blind(found) == set()


async def test_one_that_is_refused_again_and_again_is_asked_for_less_and_less_often() -> None:
    # given one that is too large
    source, batches = Source(["big"]), Batches[str, int]()

    # when all are read many times
    turns = []
    for number in range(200):
        source.asked.clear()
        assert blind(await batches.read(["big", "small"], source.ask)) == {"big"}
        if ["big"] in source.asked:
            turns.append(number)

    # then its turns come apart, but never stop
    pauses = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) == {LONGEST_PAUSE}


async def test_of_many_that_are_too_large_one_a_reading_holds_up_the_others() -> None:
    # given some that were refused, each of which may cost seconds
    source, batches = Source(TWO[:8]), Batches[str, int]()
    for _ in range(20):
        await batches.read(TWO, source.ask)

    # when all are read, then one of them is tried at the most
    for _ in range(50):
        source.asked.clear()
        assert blind(await batches.read(TWO, source.ask)) == source.too_large
        assert sum(bool(source.too_large & {*asked}) for asked in source.asked) <= 1


class Crowd(Source):
    """Refuses what asks for too many at once, none of which is too large alone."""

    def __init__(self, most: int, too_large: Iterable[str] = ()) -> None:
        super().__init__(too_large)
        self.most = most

    async def ask(self, keys: Sequence[str]) -> dict[str, int | MetricsError]:
        if len(keys) > self.most:
            self.asked.append(keys)
            raise QueryRefused("Prometheus refused the query")
        return await super().ask(keys)


@pytest.mark.parametrize("most", [130, 60, 25])
async def test_many_that_are_too_large_only_together_are_asked_for_in_smaller_batches(most: int) -> None:
    # given many models, of which some fit into one answer
    source, batches = Crowd(most), Batches[str, int]()

    # when they are read for the first time, then all are seen
    assert blind(await batches.read(SIX, source.ask)) == set()

    # and from then on few queries are refused, since batches stay small and grow slowly
    source.asked.clear()
    for _ in range(50):
        assert blind(await batches.read(SIX, source.ask)) == set()
    assert sum(len(asked) > most for asked in source.asked) <= 50 * 2 / (most / 2) + 2

    # when there is room again, then batches grow to what they were
    source.most = BATCH
    for _ in range(BATCH):
        source.asked.clear()
        await batches.read(SIX, source.ask)
    assert len(source.asked) == len(SIX) // BATCH


async def test_one_that_is_too_large_makes_no_batch_smaller() -> None:
    source, batches = Source(["m-0077"]), Batches[str, int]()
    await batches.read(SIX, source.ask)
    source.asked.clear()
    await batches.read(SIX, source.ask)
    assert [len(asked) for asked in source.asked] == [BATCH] * 5 + [BATCH - 1, 1]


async def test_one_that_was_refused_and_is_no_more_asked_for_is_forgotten() -> None:
    # given one that is too large, and moves no more
    source, batches = Source(["big"]), Batches[str, int]()
    await batches.read(["big", "small"], source.ask)
    await batches.read(["small"], source.ask)

    # when it moves again, then it is asked for with the others
    source.asked.clear()
    source.too_large = frozenset()
    await batches.read(["big", "small"], source.ask)
    assert source.asked == [["big", "small"]]


async def test_an_answer_that_cannot_be_used_blinds_its_own_batch_alone() -> None:
    # given a batch of which Prometheus has only a part
    asked = []

    async def ask(keys: Sequence[str]) -> dict[str, int | MetricsError]:
        asked.append(keys)
        if SIX[0] in keys:
            raise MetricsError("Prometheus returned a partial answer")
        return dict.fromkeys(keys, 1)

    # when all are read, then the others are seen, and nothing is asked twice
    assert blind(await Batches[str, int]().read(SIX, ask)) == {*SIX[:BATCH]}
    assert len(asked) == 6


@pytest.mark.parametrize("answered", range(7))
async def test_the_rest_is_not_asked_of_one_who_went_away(answered: int) -> None:
    # given a Prometheus that goes away after some batches
    source = Source(silent_from=answered)

    # when all are read, then it is an error only if there was no answer at all
    if answered == 0:
        with pytest.raises(Unanswered):
            await Batches[str, int]().read(SIX, source.ask)
    else:
        found = await Batches[str, int]().read(SIX, source.ask)
        assert blind(found) == {*SIX[answered * BATCH :]}

    # and it is found out by a few queries
    assert len(source.asked) == min(answered + GIVE_UP_AFTER, 6)


async def test_one_who_goes_away_while_halves_are_asked_is_not_asked_on() -> None:
    source = Source([TWO[0]], silent_from=3)
    found = await Batches[str, int]().read(TWO, source.ask)
    assert blind(found) == {*TWO}
    assert len(source.asked) == 3 + GIVE_UP_AFTER
