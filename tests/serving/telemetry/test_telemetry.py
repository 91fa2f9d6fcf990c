"""Real Triton, real API: what the pod's metrics tell about its predictions."""

import socket
from collections import Counter
from pathlib import Path

import pytest
from tests.serving import models
from tests.serving.contexts import context_of
from tests.serving.pod import Pod, nonzero, post_many, running_pod
from tests.serving.settings.test_config import GIVEN

from viridian_serving.codec.oip import Encoded
from viridian_serving.codec.tensors import DataType, ModelSchema, Tensor
from viridian_serving.contract.contract import Contract
from viridian_serving.http1.messages import Request
from viridian_serving.inference.batcher import Stats
from viridian_serving.settings.config import load
from viridian_serving.telemetry.telemetry import Telemetry
from viridian_shared.counts.via import Via

pytestmark = pytest.mark.serving


async def test_what_is_asked_and_answered_is_counted(tmp_path: Path) -> None:
    with running_pod(tmp_path, models.digits) as pod:
        # given a pod that has answered nothing but its trial
        for family in ("predictions", "prediction_confidence", "feature_value"):
            assert nonzero(pod, f"viridian_{family}") == {}
        # when
        answers = await post_many(pod, [{"X": [float(i)] * 64} for i in range(40)], Viridian_Via="split")
        pod.predict({"X": "?"})
        # then
        labels = Counter(answer.json["prediction"] for answer in answers)
        assert nonzero(pod, "viridian_predictions") == {
            ("viridian_predictions_total", "split", str(label)): number for label, number in labels.items()
        }
        confidences = [answer.json["confidence"] for answer in answers]
        counted = nonzero(pod, "viridian_prediction_confidence")["viridian_prediction_confidence_sum", "split"]
        assert counted == pytest.approx(sum(confidences))
        features = nonzero(pod, "viridian_feature_value")
        assert features["viridian_feature_value_bucket", "X[31]", "+Inf"] == 40
        assert features["viridian_feature_value_bucket", "X[0]", "1.0"] == 2
        assert ("viridian_feature_value_bucket", "X[32]", "+Inf") not in features
        # and so is how: every call's size and wait, the trial's included
        assert nonzero(pod, "viridian_call_size")["viridian_call_size_sum",] == 41
        assert nonzero(pod, "viridian_queue_seconds")["viridian_queue_seconds_count",] == 41
        assert nonzero(pod, "viridian_responses")["viridian_responses_total", "predict", "200"] == 40
        assert nonzero(pod, "viridian_responses")["viridian_responses_total", "predict", "400"] == 1


def test_what_is_no_request_is_counted_as_well(digits: Pod) -> None:
    with socket.create_connection(("127.0.0.1", digits.ports["HTTP_PORT"])) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert b"400" in connection.recv(1000)
    assert nonzero(digits, "viridian_responses")["viridian_responses_total", "none", "400"] == 1


async def test_what_cannot_be_told_costs_nobody_the_metrics(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a model whose answers are observed wrongly
    telemetry = Telemetry(load(GIVEN), {})
    schema = ModelSchema((Tensor("x", DataType.FP32, (1,)),), (Tensor("y", DataType.FP32, (1,)),), 8)
    telemetry.begin(Contract.derived(schema), Stats())
    request = Request(b"POST", b"/predict", {}, b"", 0.0)
    wrong = Encoded(((1,),), 1, (b"too short",))
    telemetry.observe(context_of(request, "id", Via.SPLIT, 0, instances=[wrong], predictions=[{"prediction": 1.0}]))
    # when
    families = {family.name for family in telemetry.collect()}
    # then
    assert "viridian_responses" in families
    assert "telemetry of 1 request(s) was incomplete" in caplog.text
