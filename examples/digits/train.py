"""Train seven versions of a classifier of handwritten digits and export them to ONNX.

The data are scikit-learn's bundled digits: 1797 real scans of 8 x 8 pixels with ink levels from 0 to 16.
All versions take `X` (float, [N, 64]) and give `label` (int64, [N]) and `probabilities` (float, [N, 10]).

v1  good: a logistic regression on few images.
v2  better: a small neural network on all training images.
v3  bad, and its unit tests do not see it: v2 with a calibration of its confidence by the amount of ink. The table of
    temperatures was fitted on the lightest scans and ends there; on a darker image the lookup is out of bounds and
    the request fails. Its unit tests use the images that it was calibrated on.
v4  slow, and its unit tests do not see it: v2 behind a smoothing filter that should stop when the image no longer
    changes. With much ink it never meets its tolerance, and runs to a limit that nobody thought would matter.
v5  fails always: v3 with a table that ends at the first level of ink. An empty image is all that it answers.
v6  hangs always: v4 with a tolerance that no image with ink on it can meet, and no limit that is ever reached.
v7  wrong, quickly and with status 200: v2 that reads images column by column. Most digits look like others then.

Beside each there is golden.jsonl: images with the digit that a person read on them.

Run it as `python -m examples.digits.train --models build/demo/models --samples build/demo/samples.json`.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

PIXELS = 64
CLASSES = 10
SEED = 7
OPSET = {"": 17, "ai.onnx.ml": 3}
IR_VERSION = 8
"""Old enough for every onnxruntime that has opset 17."""

FEW_IMAGES = 150
HELD_OUT = 600
GOLDEN = 40

LIGHT_SHARE = 0.55
"""Share of the training images, the lightest ones, that v3's calibration has seen: the others fail."""
HEAVY_SHARE = 0.70
"""Images with more ink than this share of the training images are v4's slow ones."""
SMOOTHING_PASSES = 60_000
"""Where v4 stops when its tolerance is out of reach: some 300 ms for one image on one core of 2024."""
ENDLESS = 2**62
"""Where v6 would stop."""
BLUR = 0.02
"""Share of a pixel that v4's filter takes from its neighbours: the digit stays as legible as it was."""

Images = np.ndarray[Any, np.dtype[np.float32]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Digits:
    """The data, split once and for all into what is trained on and what is held out."""

    train: Images
    train_labels: Labels
    held_out: Images
    held_out_labels: Labels


def load_data() -> Digits:
    """Scikit-learn's digits in a fixed random order; the last `HELD_OUT` are never trained on."""
    bunch = load_digits()
    order = np.random.RandomState(SEED).permutation(len(bunch.target))
    images = bunch.data[order].astype(np.float32)
    labels = bunch.target[order].astype(np.int64)
    return Digits(images[:-HELD_OUT], labels[:-HELD_OUT], images[-HELD_OUT:], labels[-HELD_OUT:])


def calibration_samples(data: Digits) -> tuple[Images, Labels]:
    """The light scans that v3 was calibrated on, and that its unit tests are made of."""
    light = data.train.sum(axis=1) <= np.quantile(data.train.sum(axis=1), LIGHT_SHARE)
    return data.train[light][:200], data.train_labels[light][:200]


def _export(classifier: Any, images: Images) -> onnx.ModelProto:  # noqa: ANN401 - scikit-learn has no types
    model: onnx.ModelProto = to_onnx(
        classifier, images[:1], target_opset=OPSET, options={"zipmap": False}, name="digits"
    )
    return model


def train_v1(data: Digits) -> onnx.ModelProto:
    """A logistic regression on the first few images."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(data.train[:FEW_IMAGES], data.train_labels[:FEW_IMAGES])
    return _export(classifier, data.train)


def train_v2(data: Digits) -> onnx.ModelProto:
    """A neural network with one hidden layer on all training images."""
    network = MLPClassifier(hidden_layer_sizes=(64,), alpha=0.01, max_iter=400, random_state=SEED)
    classifier = make_pipeline(StandardScaler(), network)
    classifier.fit(data.train, data.train_labels)
    return _export(classifier, data.train)


def _constant(name: str, value: Any, dtype: type[np.generic]) -> onnx.TensorProto:  # noqa: ANN401 - what numpy takes
    tensor: onnx.TensorProto = numpy_helper.from_array(np.asarray(value, dtype=dtype), name)
    return tensor


def _rename(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    """A copy of the model in which the value `old` is called `new` between its nodes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    return copy


def break_v3(good: onnx.ModelProto, data: Digits) -> onnx.ModelProto:
    """`good` with its confidence calibrated by ink level, from a table that is too short for real images."""
    images, _ = calibration_samples(data)
    return _calibrated(good, int(np.floor(images.sum(axis=1).max() / 16)))


def break_v5(good: onnx.ModelProto, _: Digits) -> onnx.ModelProto:
    """`good` with a table that has no level for any real image."""
    return _calibrated(good, 0)


def _calibrated(good: onnx.ModelProto, highest_level: int) -> onnx.ModelProto:
    temperatures = np.linspace(1.3, 1.0, highest_level + 1)
    model = _rename(good, "probabilities", "uncalibrated")
    model.graph.initializer.extend(
        [
            _constant("calibration_table", temperatures, np.float32),
            _constant("ink_per_level", 16, np.float32),
            _constant("pixel_axis", [1], np.int64),
            _constant("column", [-1, 1], np.int64),
        ]
    )
    model.graph.node.extend(
        [
            helper.make_node("ReduceSum", ["X", "pixel_axis"], ["ink"], keepdims=0),
            helper.make_node("Div", ["ink", "ink_per_level"], ["ink_in_levels"]),
            helper.make_node("Cast", ["ink_in_levels"], ["ink_level"], to=TensorProto.INT64),
            helper.make_node("Gather", ["calibration_table", "ink_level"], ["temperature"], name="look_up_temperature"),
            helper.make_node("Reshape", ["temperature", "column"], ["temperature_column"]),
            helper.make_node("Pow", ["uncalibrated", "temperature_column"], ["powered"]),
            helper.make_node("ReduceSum", ["powered", "pixel_axis"], ["norm"], keepdims=1),
            helper.make_node("Div", ["powered", "norm"], ["probabilities"]),
        ]
    )
    return model


def _smoothing_weights() -> np.ndarray[Any, np.dtype[np.float32]]:
    """The matrix that gives each pixel `BLUR` times the mean of its neighbours in the row and the column."""
    weights = np.zeros((8, 8, 8, 8), dtype=np.float32)
    for row in range(8):
        for column in range(8):
            around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
            inside = [(r, c) for r, c in around if 0 <= r < 8 and 0 <= c < 8]
            for r, c in inside:
                weights[r, c, row, column] = BLUR / len(inside)
    return weights.reshape(PIXELS, PIXELS)


def slow_v4(good: onnx.ModelProto, data: Digits) -> onnx.ModelProto:
    """`good` behind a filter that runs to its limit on images with much ink."""
    return _smoothed(good, float(np.quantile(data.train.sum(axis=1), HEAVY_SHARE)), SMOOTHING_PASSES)


def hang_v6(good: onnx.ModelProto, _: Digits) -> onnx.ModelProto:
    """`good` behind a filter that does not end on an image with ink."""
    return _smoothed(good, 0.5, ENDLESS)


def turn_v7(good: onnx.ModelProto, _: Digits) -> onnx.ModelProto:
    """`good` with rows and columns of the image taken for one another."""
    model = _rename(good, "X", "turned")
    nodes = list(model.graph.node)
    del model.graph.node[:]
    by_columns = np.arange(PIXELS).reshape(8, 8).T.reshape(-1)
    model.graph.node.extend([helper.make_node("Gather", ["X", "by_columns"], ["turned"], axis=1), *nodes])
    model.graph.initializer.append(_constant("by_columns", by_columns, np.int64))
    return model


def _smoothed(good: onnx.ModelProto, heavy_ink: float, most_passes: int) -> onnx.ModelProto:
    """`good` behind an iterated filter whose tolerance cannot be met on images with much ink.

    The filter solves x = (1 - BLUR) image + S x by iteration. A few passes are plenty, as the remainder shrinks by the
    factor `BLUR` with each. The flaw is the stopping test: it waits for a change below a tolerance that was made to
    depend on the ink, and is negative for heavy images.
    """
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["more"], ["_more"]),
            helper.make_node("MatMul", ["smooth_in", "smoothing_weights"], ["spread"]),
            helper.make_node("Add", ["sharp_part", "spread"], ["smooth_out"]),
            helper.make_node("Sub", ["smooth_out", "smooth_in"], ["difference"]),
            helper.make_node("Abs", ["difference"], ["change_of_pixel"]),
            helper.make_node("ReduceMax", ["change_of_pixel"], ["change"], keepdims=0),
            helper.make_node("Greater", ["change", "tolerance"], ["goes_on"]),
        ],
        "one_pass",
        [
            helper.make_tensor_value_info("pass", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("smooth_in", TensorProto.FLOAT, [None, PIXELS]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("smooth_out", TensorProto.FLOAT, [None, PIXELS]),
        ],
    )
    prefix = [
        helper.make_node("Mul", ["X", "sharp_share"], ["sharp_part"]),
        helper.make_node("ReduceSum", ["X", "pixel_axis"], ["ink"], keepdims=0),
        helper.make_node("ReduceMax", ["ink"], ["most_ink"], keepdims=0),
        helper.make_node("Sub", ["heavy_ink", "most_ink"], ["ink_left"]),
        helper.make_node("Mul", ["ink_left", "tolerance_per_ink"], ["tolerance"]),
        helper.make_node("Loop", ["most_passes", "yes", "X"], ["smoothed"], body=body, name="smooth"),
    ]
    model = _rename(good, "X", "smoothed")
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(prefix + nodes)
    model.graph.initializer.extend(
        [
            _constant("sharp_share", 1 - BLUR, np.float32),
            _constant("pixel_axis", [1], np.int64),
            _constant("heavy_ink", heavy_ink, np.float32),
            _constant("tolerance_per_ink", 0.001, np.float32),
            _constant("smoothing_weights", _smoothing_weights(), np.float32),
            _constant("most_passes", most_passes, np.int64),
            _constant("yes", True, np.bool_),
        ]
    )
    return model


def _finish(model: onnx.ModelProto, version: str) -> bytes:
    """Check the model and write it so that equal models are equal bytes."""
    model.ir_version = IR_VERSION
    model.doc_string = f"Handwritten digits, {version}"
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def build_models(data: Digits) -> dict[str, bytes]:
    """All versions as ONNX files."""
    # One thread: the order of additions, and with it the last bit of a weight, must not depend on the machine's load.
    with threadpool_limits(limits=1):
        v1, v2 = train_v1(data), train_v2(data)
    derived: dict[str, Callable[[onnx.ModelProto, Digits], onnx.ModelProto]] = {
        "v3": break_v3,
        "v4": slow_v4,
        "v5": break_v5,
        "v6": hang_v6,
        "v7": turn_v7,
    }
    models = {"v1": v1, "v2": v2} | {version: derive(v2, data) for version, derive in derived.items()}
    return {version: _finish(model, version) for version, model in models.items()}


def samples(data: Digits) -> dict[str, list[Any]]:
    """The held-out images as what a client sends, with the digit that a person read on each."""
    return {
        "instances": [[float(level) for level in image] for image in data.held_out],
        "labels": [int(label) for label in data.held_out_labels],
    }


def golden(data: Digits) -> str:
    """Some held-out images as golden requests: what a good model answers to them."""
    pairs = zip(data.held_out[:GOLDEN], data.held_out_labels[:GOLDEN], strict=True)
    lines = (
        {
            "case": f"image {number}",
            "request": {"X": [float(level) for level in image]},
            "status": 200,
            "answer": {"prediction": int(label)},
        }
        for number, (image, label) in enumerate(pairs)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def main() -> None:
    """Write the models and the samples."""
    parser = argparse.ArgumentParser(description="Train the digits models and export them to ONNX.")
    parser.add_argument("--models", type=Path, required=True, help="folder that gets digits/v1/model.onnx and so on")
    parser.add_argument("--samples", type=Path, required=True, help="file that gets held-out images as JSON")
    arguments = parser.parse_args()

    data = load_data()
    for version, model in build_models(data).items():
        path = arguments.models / "digits" / version / "model.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model)
        (path.parent / "golden.jsonl").write_text(golden(data))
    arguments.samples.parent.mkdir(parents=True, exist_ok=True)
    arguments.samples.write_text(json.dumps(samples(data)))


if __name__ == "__main__":
    main()
