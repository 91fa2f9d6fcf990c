"""From the series of an answer to what pods count of their answers."""

import re
from datetime import timedelta

import pytest
from tests.metrics.answers import IRIS, series
from tests.metrics.server import Server

from viridian.guards.answers.counters import AnswerSnapshot, PodAnswers
from viridian.metrics.answers import AnswerReader, build_query, gather
from viridian.metrics.connection import Connection, MetricsError

STARTED = series("viridian_counters_started_seconds", 50.0)
ANSWER = [
    STARTED,
    series("viridian_predictions_total", 3, 7, via="split", **{"class": "fraud"}),
    series("viridian_prediction_confidence_bucket", 4, via="split", le="0.9"),
    series("viridian_prediction_value_bucket", 5, via="split", le="+Inf"),
    series("viridian_predictions_not_finite_total", 1, via="split"),
    series("viridian_shadow_total", 2, candidate="iris-2", result="disagreed"),
    series("viridian_shadow_duration_seconds_bucket", 9, candidate="iris-2", role="stable", le="0.1"),
    series("viridian_feedback_cohort_total", 6, revision="iris-0", age="1h", result="incorrect"),
]


def test_the_newest_samples_of_a_pod_are_its_counts() -> None:
    found = gather(ANSWER, frozenset({IRIS}), 120.0)
    counts = {
        ("class", "fraud"): 7,
        ("confidence", "0.9"): 4,
        ("number", "+Inf"): 5,
        ("nonFinite",): 1,
        ("shadow", "iris-2", "disagreed"): 2,
        ("shadowTime", "iris-2", "stable", "0.1"): 9,
        ("cohort", "iris-0", "1h", "incorrect"): 6,
    }
    assert found == {IRIS: AnswerSnapshot(120.0, {"p1": PodAnswers("iris-1", counts, 50.0)})}


def test_a_pod_that_does_not_say_when_it_began_is_left_out() -> None:
    assert gather(ANSWER[1:], frozenset({IRIS}), 120.0) == {IRIS: AnswerSnapshot(120.0)}


@pytest.mark.parametrize("answer", [[{"metric": {}}], [{"values": [[1, "1"]]}], ["text"]], ids=str)
def test_what_is_no_series_is_an_error(answer: list[object]) -> None:
    with pytest.raises(MetricsError, match="cannot be read"):
        gather(answer, frozenset({IRIS}), 120.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "taken"),
    [
        ({"__name__": "viridian_predictions_total", "via": "split"}, True),
        ({"__name__": "viridian_predictions_total", "via": "pin"}, False),
        ({"__name__": "viridian_shadow_total"}, True),
        ({"__name__": "viridian_shadow_duration_seconds_bucket"}, True),
        ({"__name__": "viridian_shadow_duration_seconds_sum"}, False),
        ({"__name__": "viridian_counters_started_seconds"}, True),
        ({"__name__": "viridian_requests_total", "via": "split"}, False),
        ({"__name__": "viridian_prediction_value_count", "via": "split"}, False),
    ],
    ids=str,
)
def test_only_answers_to_requests_assigned_at_random_are_asked_for(labels: dict[str, str], taken: bool) -> None:
    matchers = re.findall(r"(\w+)=~`([^`]*)`", build_query([IRIS], 45))
    known = {"model_namespace": "default", "model": "iris", **labels}
    assert all(re.fullmatch(pattern, known.get(name, "")) for name, pattern in matchers) is taken


async def test_a_reader_looks_back_over_a_few_scrapes() -> None:
    server = Server()
    server.says(*ANSWER)
    with server.running() as url:
        found = await AnswerReader(Connection(url), timedelta(seconds=2)).read([IRIS], 120.0)
    assert server.asked[0]["query"][0].endswith("}[6s]")
    assert found.keys() == {IRIS}
