"""`kubectl viridian drift --against`: which versions are compared, on which bins, and what that shows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.cli.drift.test_drift import BASELINE, OLDER
from tests.cli.http_server import Prometheus, serving
from tests.cli.kubectl_double import Cluster, stored

from viridian.cli.drift.bins import on_shared_bins
from viridian.cli.drift.findings import findings, heading
from viridian.cli.drift.pair import NothingToCompare, Pair, Side, pair_of
from viridian.cli.drift.variables import Variable
from viridian.cli.drift.versions import Comparison, compare
from viridian.cli.main import main
from viridian.cli.model import Json, Model
from viridian.cli.prometheus import CannotMeasure

V1, V2, V3 = (Side(f"iris-{number}", f"v{number}.0.0") for number in (1, 2, 3))
DAY = timedelta(days=1)
NOW = datetime(2026, 1, 9, tzinfo=UTC)


def ended(side: Side, day: int, result: str = "Promoted") -> Json:
    return {
        "revision": side.revision,
        "version": side.version,
        "result": result,
        "endedAt": f"2026-01-0{day}T00:00:00Z",
    }


def served(*history: Json, **status: Any) -> Model:
    """A model whose status has this history, the newest first; its first entry serves, unless the status says else."""
    stable = {"stable": {"revision": history[0]["revision"], "version": history[0]["version"]}} if history else {}
    return Model({"metadata": {"name": "iris"}, "status": {**stable, "history": list(history), **status}})


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


THREE = (ended(V3, 5), ended(V2, 3), ended(V1, 1))


@pytest.mark.parametrize(
    ("model", "against", "pair"),
    [
        (stored("progressing"), "stable", Pair(V2, V1)),
        (stored("progressing"), "v1.0.0", Pair(V2, V1)),
        (stored("progressing"), "iris-1", Pair(V2, V1)),
        (stored("watching"), "previous", Pair(V2, V1)),
        (stored("watching"), "v1.0.0", Pair(V2, V1)),
        (served(*THREE), "previous", Pair(V3, V2, replaced=day(5), begun=day(5))),
        (served(*THREE), "v1.0.0", Pair(V3, V1, replaced=day(3), begun=day(5))),
        (served(ended(V3, 7, "RolledBack"), *THREE, stable=ended(V3, 5)), "previous", Pair(V3, V2, day(5), day(5))),
        (served(ended(V1, 7, "Restored"), *THREE), "previous", Pair(V1, V3, day(7), day(7))),
        (
            served(*THREE[1:], candidate=ended(V3, 1), startedAt="2026-01-08T00:00:00Z"),
            "previous",
            Pair(V2, V1, day(3), day(3)),
        ),
        (
            served(*THREE, candidate={"revision": "iris-4", "version": "v4"}, startedAt="2026-01-08T00:00:00Z"),
            "v2.0.0",
            Pair(Side("iris-4", "v4"), V2, day(5), day(8)),
        ),
        # it took over from a stable without pods, in a rollout that is not over
        (
            served(*THREE[1:], stable=ended(V3, 1), startedAt="2026-01-08T00:00:00Z"),
            "v2.0.0",
            Pair(V3, V2, day(8), day(8)),
        ),
    ],
)
def test_which_versions_are_compared(model: Model, against: str, pair: Pair) -> None:
    assert pair_of(model, against) == pair


@pytest.mark.parametrize(
    ("model", "against", "words"),
    [
        (served(), "stable", "no version of iris serves yet"),
        (served(*THREE), "stable", r"no candidate, so nothing serves beside v3.0.0 \(iris-3\).*--against previous"),
        (served(*THREE[2:]), "previous", r"nothing has served before v1.0.0 \(iris-1\)"),
        (served(*THREE), "v3.0.0", r"v3.0.0 \(iris-3\) is what is compared; name another version"),
        (served(*THREE), "v7", r"no version or revision v7 of iris .* takes v2.0.0 \(iris-2\), v1.0.0 \(iris-1\)$"),
        (served(*THREE[2:]), "v7", "takes none yet"),
        (stored("progressing"), "v7", r"takes v1.0.0 \(iris-1\)$"),
    ],
)
def test_without_two_versions_there_is_nothing_to_compare(model: Model, against: str, words: str) -> None:
    with pytest.raises(NothingToCompare, match=words):
        pair_of(model, against)


AGES = {"below": 1.0, "18..30": 2.0, "30..40": 4.0, "40..64": 8.0, "above": 16.0, "missing": 32.0}


@pytest.mark.parametrize(
    ("other", "joined"),
    [
        (AGES, AGES),
        # the ends are those of the sample, and one bound is shared
        (
            {"below": 0.0, "19..30": 0.0, "30..66": 1.0, "above": 0.0, "missing": 0.0},
            {"-inf..30": 3.0, "30..inf": 28.0, "missing": 32.0},
        ),
        # the lowest is shared, which one of both has as a bound within
        (
            {"below": 0.0, "0..18": 1.0, "18..64": 1.0, "above": 0.0, "missing": 0.0},
            {"-inf..18": 1.0, "18..64": 14.0, "above": 16.0, "missing": 32.0},
        ),
        (
            {"below": 0.0, "18..40": 1.0, "40..70": 1.0, "above": 0.0, "missing": 0.0},
            {"below": 1.0, "18..40": 6.0, "40..inf": 24.0, "missing": 32.0},
        ),
        ({"below": 0.0, "19..31": 1.0, "above": 0.0, "missing": 0.0}, None),
        ({"Bern": 1.0, "other": 1.0, "missing": 0.0}, None),
    ],
)
def test_numbers_are_compared_between_the_bounds_that_both_have(
    other: dict[str, float], joined: dict[str, float] | None
) -> None:
    # when
    found, reverse = on_shared_bins(AGES, other), on_shared_bins(other, AGES)
    # then
    assert (found and found[0]) == joined
    assert (reverse and reverse[::-1]) == found
    if found is not None:
        assert found[0].keys() == found[1].keys()
        assert sum(found[1].values()) == sum(other.values())


def test_categories_that_only_one_has_are_among_the_others_of_both() -> None:
    # given
    one = {"Bern": 1.0, "Oslo": 2.0, "other": 4.0, "missing": 8.0}
    # then
    assert on_shared_bins(one, {"Bern": 1.0, "Rome": 1.0, "other": 0.0, "missing": 0.0}) == (
        {"Bern": 1.0, "other": 6.0, "missing": 8.0},
        {"Bern": 1.0, "other": 1.0, "missing": 0.0},
    )
    assert on_shared_bins(one, {"Rome": 1.0, "other": 0.0, "missing": 0.0}) is None


def variable(counts: dict[str, float], *, name: str = "age", kind: str = "feature", values: float = 10_000) -> Variable:
    """A variable of v2, as many values of both, against the shares of the baseline."""
    return Variable.of("iris-2", kind, name, {each: values * share for each, share in counts.items()}, BASELINE, values)


def test_what_is_open_at_one_end_is_said_by_its_bound() -> None:
    # given
    before = {"-inf..30": 0.5, "30..60": 0.3, "60..inf": 0.2}
    after = {"-inf..30": 0.7, "30..60": 0.1, "60..inf": 0.2}
    # then no median is known
    assert Variable.of("iris-2", "feature", "age", after, before, 1000).moved() == "70 % below 30 instead of 50 %"
    assert Variable.of("iris-2", "feature", "age", before, after, 1000).moved().startswith("50 % below 30")


def found(
    *variables: Variable,
    replaced: datetime | None = None,
    begun: datetime | None = None,
    joined: tuple[str, ...] = (),
    left_out: tuple[str, ...] = (),
) -> Comparison:
    return Comparison(Pair(V2, V1, replaced, begun), DAY, variables, joined, left_out)


MOVED, SAME = variable(OLDER), variable(BASELINE)
LABEL, FEW = variable(OLDER, name="label", kind="prediction"), variable(BASELINE, values=300)


@pytest.mark.parametrize(
    ("comparison", "words"),
    [
        (found(SAME), ["None of 1 differs: each PSI is below 0.1, or what chance may do."]),
        (found(MOVED, SAME), ["Requests are not split at random: v2.0.0 and v1.0.0 get other values of age. Look for"]),
        (found(SAME, LABEL), ["v2.0.0 answers otherwise than v1.0.0 to requests in which no feature differs: label."]),
        (found(MOVED, LABEL), ["Requests are not split at random", "How much of that comes from what it is sent"]),
        (found(MOVED, replaced=day(5)), ["Users send something else than v1.0.0 was sent: age."]),
        (found(LABEL, replaced=day(5)), ["to requests in which no feature differs: label."]),
        (found(FEW), ["None of 1", "(age): v2.0.0 needs about 400 values more, with the weights as they are."]),
        (found(FEW, replaced=day(5)), ["None of 1", "about 400 values more, as in a --window of 56h"]),
        (found(variable(OLDER, values=300)), ["Requests are not split at random"]),
        (found(SAME, joined=("age",)), ["None of 1", "the bins that both baselines have, which are fewer: age."]),
        (found(SAME, left_out=("income",)), ["None of 1", "Not compared, since the baselines have no bins"]),
        (
            found(SAME, replaced=NOW - DAY / 2, begun=NOW - DAY / 2),
            ["None of 1", "v2.0.0 has all traffic for 12h only, less than 24h"],
        ),
        (found(SAME, replaced=NOW - 2 * DAY, begun=NOW - 2 * DAY), ["None of 1"]),
        (found(*[variable(OLDER, name=f"f{i}") for i in range(8)]), ["of f0, f1, f2, f3, f4, 3 more. Look for"]),
    ],
)
def test_what_a_comparison_shows(comparison: Comparison, words: list[str]) -> None:
    # when
    said = findings(comparison, NOW)
    # then
    assert len(said) == len(words), said
    assert all(part in sentence for part, sentence in zip(words, said, strict=True)), said


def test_the_heading_says_of_which_time() -> None:
    assert heading(found(SAME)) == "v2.0.0 (iris-2) against v1.0.0 (iris-1), which serve side by side: the last 24h."
    assert heading(found(SAME, replaced=day(5))) == (
        "The last 24h of v2.0.0 (iris-2) against the last 24h of v1.0.0 (iris-1), which was replaced at"
        " 2026-01-05 00:00 UTC."
    )


class Versions(Prometheus):
    """Knows two versions of ml/iris. Of others: v2 of ml/rose has no users, v1 of ml/lily no series."""

    AGE = ("feature", "age")
    LABEL = ("prediction", "label")
    RESULTS = ({"stays": 0.9, "leaves": 0.1}, {"stays": 0.6, "leaves": 0.4})

    def samples(self, query: str) -> list[dict[str, Any]]:
        first = query.find("iris-2") >= 0
        if query.startswith("sum_over_time") and "^ 2" in query:
            return [self._sample(of, None, 1000 if '"rose"' not in query else 0) for of in (self.AGE, self.LABEL)]
        if query.startswith("sum_over_time"):
            first = "group_left" not in query
        if '"lily"' in query and not first:
            return []
        values = 0 if '"rose"' in query and first else 2000
        return [*self._bins(self.AGE, BASELINE, values), *self._bins(self.LABEL, self.RESULTS[first], values)]

    def _bins(self, of: tuple[str, str], shares: dict[str, float], values: float) -> list[dict[str, Any]]:
        return [self._sample(of, name, values * share) for name, share in shares.items()]

    def _sample(self, of: tuple[str, str], name: str | None, value: float) -> dict[str, Any]:
        labels = {"kind": of[0], "variable": of[1], **({"bin": name} if name else {})}
        return {"metric": labels, "value": [0, str(value)]}


@pytest.fixture
def prometheus() -> Iterator[str]:
    with serving(Versions) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "pair", "window", "words"),
    [
        ("iris", Pair(V2, V1), timedelta(minutes=1), "--window is 1m: of two versions that both serve, it must be 5m"),
        ("rose", Pair(V2, V1), DAY, r"v2.0.0 \(iris-2\) has answered no user within 24h: try a longer --window"),
        ("lily", Pair(V2, V1), DAY, r"knows no values of v1.0.0 \(iris-1\) within 24h: there is no baseline.json"),
        ("lily", Pair(V2, V1, day(5)), DAY, "before it was replaced at 2026-01-05 00:00:00 UTC.*does not keep series"),
    ],
)
def test_what_cannot_be_compared_is_said(prometheus: str, name: str, pair: Pair, window: timedelta, words: str) -> None:
    with pytest.raises(CannotMeasure, match=words):
        compare(prometheus, ("ml", name), pair, window)


class Retrained(Versions):
    """Its versions have baselines of different rows."""

    def samples(self, query: str) -> list[dict[str, Any]]:
        return self._bins(self.AGE, {"19..31": 1.0} if "iris-2" in query else {"18..30": 1.0}, 100)


def test_versions_without_a_bin_in_common_are_not_compared() -> None:
    with serving(Retrained) as url, pytest.raises(CannotMeasure) as caught:
        compare(url, ("ml", "iris"), Pair(V2, V1, day(5)), DAY)
    # then
    assert str(caught.value) == (
        "the baselines of v2.0.0 (iris-2) and v1.0.0 (iris-1) have nothing in common: the bins of age differ. Make the"
        " next baseline.json with --bins, which `viridian import` and `viridian baseline` take"
    )


def test_programs_get_the_figures_of_both(
    prometheus: str, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    cluster(stored("progressing"))
    # when
    status = main(["drift", "-n", "ml", "iris", "--prometheus", prometheus, "--against", "stable", "-o", "json"])
    # then
    out, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    found = json.loads(out)
    assert (found["revision"], found["against"]["version"], found["replacedAt"]) == ("iris-2", "v1.0.0", None)
    label, age = found["variables"]
    assert (label["variable"], label["drifts"], label["values"], label["againstRows"]) == ("label", True, 2000, 4000)
    assert label["bins"][0] == {"bin": "leaves", "served": 0.4, "against": 0.1}
    assert (age["drifts"], age["psi"]) == (False, 0)
    assert found["findings"] == [
        "v2.0.0 answers otherwise than v1.0.0 to requests in which no feature differs: label. That is what the new"
        " version changes."
    ]
