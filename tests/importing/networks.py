"""Networks of PyTorch, and of Keras and TensorFlow, made by a Python that has tensorflow."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.component.harness.binaries import interpreter

_TRAIN = """
import sys
import numpy, tensorflow
from tensorflow.keras import Input, Model, Sequential, layers

kind, out = sys.argv[1:]
tensorflow.keras.utils.set_random_seed(7)
rows = numpy.random.default_rng(7).normal(size=(256, 3)).astype("float32")
classes = (rows.sum(1) > 0).astype("int64")
match kind:
    case "classes":
        model = Sequential([Input((3,)), layers.Normalization(), layers.Dense(8, "relu"), layers.Dropout(0.5),
                            layers.Dense(3, "softmax")])
        model.layers[0].adapt(rows)
    case "number" | "saved" | "h5":
        model = Sequential([Input((3,)), layers.Dense(8, "gelu"), layers.BatchNormalization(), layers.Dense(1)])
    case "two inputs":
        inputs = [Input((3,), name="left"), Input((2,), name="right")]
        model = Model(inputs, layers.Dense(1)(layers.Concatenate()(inputs)))
    case "images":
        model = Sequential([Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1)])
    case "two outputs":
        given = Input((3,))
        model = Model(given, [layers.Dense(1)(given), layers.Dense(2)(given)])
    case "function":
        module = tensorflow.Module()
        given = tensorflow.TensorSpec([None, 3], tensorflow.float32)
        module.call = tensorflow.function(lambda x: {"made": tensorflow.math.lgamma(x)}, input_signature=[given])
        tensorflow.saved_model.save(module, out, signatures={"serving_default": module.call})
        print("")
        sys.exit()
if kind in ("classes", "number", "saved", "h5"):
    model.compile("adam", "sparse_categorical_crossentropy" if kind == "classes" else "mse")
    model.fit(rows, classes, epochs=2, verbose=0)
model.export(out, verbose=False) if kind == "saved" else model.save(out)
print(numpy.asarray(model(rows[:1])).tolist() if kind in ("classes", "number", "saved", "h5") else "")
"""
"""Makes a model of a kind, and prints what it answers to the first row."""
_SAVED = {"saved": "saved", "function": "saved", "h5": "model.h5"}
"""How kinds are saved; all others as model.keras."""


def trained(folder: Path, kind: str) -> tuple[Path, Any]:
    """A model of this kind, and its answer to the first row of the sample."""
    file = folder / _SAVED.get(kind, "model.keras")
    python = interpreter("requirements/keras.txt")
    made = subprocess.run([python, "-I", "-c", _TRAIN, kind, file], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return file, json.loads(made.stdout.splitlines()[-1] or "null")


def rows(file: Path) -> Path:
    """The sample that those of Keras are trained with."""
    import numpy as np

    values = np.random.default_rng(7).normal(size=(256, 3)).astype("float32")
    file.write_text("\n".join(["a,b,c", *(",".join(map(repr, map(float, row))) for row in values)]) + "\n")
    return file


def module() -> Any:
    """A network of PyTorch, from three numbers to two."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
