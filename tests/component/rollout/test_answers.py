"""What pods count of their answers, through the real Prometheus."""

import asyncio
import time
from datetime import timedelta

from tests.component.harness.prometheus import Prometheus
from tests.waiting import DEADLINE, eventually

from viridian.guards.answers.counters import CLASS, PodAnswers
from viridian.metrics.answers import AnswerReader
from viridian.metrics.connection import Connection
from viridian.metrics.prometheus import trusted

KEY = ("default", "iris")


def test_labels_of_requests_assigned_at_random_are_read(prometheus: Prometheus) -> None:
    # given a pod that predicted a label, at random and for pinned users
    pod = prometheus.target.pod("default", "iris", "iris-1", "uid-of-iris-1")
    identity = 'model_namespace="default",model="iris",revision="iris-1",pod_uid="uid-of-iris-1"'
    pod.more += [
        ("viridian_predictions_total", f'{{{identity},via="split",class="fraud"}} 7'),
        ("viridian_predictions_total", f'{{{identity},via="pin",class="fraud"}} 900'),
        ("viridian_counters_started_seconds", f"{{{identity}}} 50"),
    ]
    prometheus.wait_for_scrape()

    # when they are read
    def read() -> PodAnswers:
        within = timedelta(seconds=DEADLINE)
        reader = AnswerReader(Connection(prometheus.url, timeout=within), within)
        found = asyncio.run(reader.read([KEY], time.time()))
        return trusted(found[KEY]).pods["uid-of-iris-1"]

    # then only the first are there
    assert eventually(read, "the pod's counters") == PodAnswers("iris-1", {(CLASS, "fraud"): 7}, 50.0)
