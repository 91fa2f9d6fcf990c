"""An hour of two real pods: a candidate that fails a few requests comes, and is rolled back.

The pods are real, and so are the requests. The hour is not: each scrape of 15 seconds is taken after a fraction of one,
as soon as the requests of 15 seconds have been answered, and written down with the time that it stands for.
"""

import math
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from tests.serving import models
from tests.serving.pod import Pod, post_many
from tests.serving.two_pods import Pair, two_pods
from tests.waiting import eventually

SCRAPE: Final = 15
"""Seconds between two scrapes."""
WARM: Final = 5
"""Minutes before the hour, so that no window of five minutes is half empty."""
COMES: Final = 15
GOES: Final = 40
"""Minutes of the hour in which the candidate has its share of the requests."""
SHARE: Final = 0.25
FAILS: Final = 0.03
"""Share of the requests that the candidate fails."""
KNOWN: Final = 0.2
"""Share of the predictions whose truth is reported."""
CHOSEN: Final = {"model_namespace": "ml", "model": "m"}
_SAMPLE: Final = re.compile(r"^([a-z_:]+)(?:\{(.*)\})? (\S+)$")
_MOMENT: Final = re.compile(r"_(?:stamp|started|timestamp|start_time)_seconds$")
"""Series whose values are moments."""


def fragile(directory: Path) -> Path:
    """As models.digits(), but inputs whose first pixel is white fail."""
    file = models.digits(directory)
    model = onnx.load(file)
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["unguarded" if name == "probabilities" else name for name in node.output]
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.zeros(1, np.int64), "first"),
            numpy_helper.from_array(np.ones(1, np.float32), "table"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Gather", [graph.input[0].name, "first"], ["pixel"], axis=1),
            helper.make_node("Cast", ["pixel"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "index"], ["one"], axis=0),
            helper.make_node("Mul", ["unguarded", "one"], ["probabilities"]),
        ]
    )
    onnx.save(model, file)
    return file


async def record(folder: Path, samples: Path, begin: float, minutes: int) -> None:
    """Run the pods, and write what they count into a file in the text form of OpenMetrics.

    Args:
        folder: Where the pods may write.
        samples: The file.
        begin: When the hour begins, in seconds since 1970.
        minutes: How long it is.
    """
    key = {"FEEDBACK_KEY": "a key of this model and of no other"}
    with (
        two_pods(folder, fragile, models.digits, key, MODEL_VERSION="v2") as pair,
        samples.open("w") as file,
    ):
        eventually(lambda: pair.candidate.predict(_white(), Viridian_Via="split").status == 200, pair.candidate.log)
        users = _Users(pair)
        for number in range(-WARM * 60 // SCRAPE, minutes * 60 // SCRAPE + 1):
            minute = number * SCRAPE / 60
            share = SHARE if COMES <= minute < GOES else 0.0
            await users.ask(round(SCRAPE * (1.5 + 0.6 * math.sin(minute / 9))), share)
            for pod in (pair.stable, pair.candidate):
                if pod is pair.candidate and not COMES - 1 <= minute < GOES + 2:
                    continue  # it has not come yet, or is gone
                file.writelines(f"{line}\n" for line in _lines(pod, begin + number * SCRAPE))
        file.write("# EOF\n")


class _Users:
    """Who asks, and what they tell of it later."""

    def __init__(self, pair: Pair) -> None:
        self._pair, self._chance = pair, random.Random(7)
        pixels, labels = load_digits(return_X_y=True)
        self._digits = [({"X": (row / 16).tolist()}, int(label)) for row, label in zip(pixels, labels, strict=True)]

    async def ask(self, requests: int, share: float) -> None:
        """Send requests, a share of them to the candidate, and report what became known of some."""
        asked = [self._chance.choice(self._digits) for _ in range(requests)]
        bodies = [_white(each) if self._chance.random() < FAILS else each for each, _ in asked]
        for pod, of in self._split(share, requests):
            answers = await post_many(pod, [bodies[i] for i in of], clients=4, Viridian_Via="split")
            known = [
                {"token": answer.json["feedback_token"], "actual": asked[i][1], "accepted": i % 3 > 0, "value": 0.5}
                for i, answer in zip(of, answers, strict=True)
                if answer.status == 200 and self._chance.random() < KNOWN
            ]
            if known:
                pod.feedback(known)

    def _split(self, share: float, requests: int) -> list[tuple[Pod, list[int]]]:
        drawn = [self._chance.random() < share for _ in range(requests)]
        return [
            (pod, of)
            for pod, is_its in ((self._pair.stable, False), (self._pair.candidate, True))
            if (of := [i for i, candidate in enumerate(drawn) if candidate is is_its])
        ]


def _white(instance: Any = None) -> dict[str, list[float]]:
    """The same digit with a white first pixel, which is black in all of them."""
    pixels = (instance or {"X": [0.0] * 64})["X"]
    return {"X": [1.0, *pixels[1:]]}


def _lines(pod: Pod, at: float) -> Iterator[str]:
    """The samples of a pod's page, as those of another moment, with the labels that a scrape adds."""
    now = time.time()
    identity = ",".join(f'{name}="{value}"' for name, value in CHOSEN.items())
    own = f'{identity},revision="{pod.environment["VIRIDIAN_REVISION"]}"'
    for line in pod.metrics_after(now).splitlines():
        if (sample := _SAMPLE.match(line)) is None:
            continue
        name, labels, value = sample[1], sample[2] or "", sample[3]
        if "model_namespace=" not in labels:
            labels = f"{labels},{own}".lstrip(",")
        if _MOMENT.search(name) and float(value):
            value = repr(float(value) - now + at)
        yield f"{name}{{{labels}}} {value} {at:.0f}"
    yield f"up{{{own}}} 1 {at:.0f}"
