"""``PYTHON tensorflow_program.py MODEL``: answers requests by lines of JSON, in a Python that has tensorflow.

It is run by its path, in the user's own environment: it imports nothing of ours, and little of anything else.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

INPUT = "X"


class Refused(Exception):
    """The model cannot be imported; the text says why."""


class Program:
    """A model of Keras, or a SavedModel, with one table of numbers as input and one tensor as output."""

    def __init__(self, path: str) -> None:
        """Load it."""
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        self._tensorflow = tensorflow
        load = _saved_model if os.path.isdir(path) else _keras_model
        self._call, specs, self.what = load(tensorflow, path)
        self.width, self._dtype = _only_table(specs)
        # A separate function, so that both kinds are called, measured and converted in one way.
        self._given = tensorflow.TensorSpec([None, self.width], self._dtype, name=INPUT)
        self._function = tensorflow.function(self._answered, input_signature=[self._given])

    def answer(self, rows: list[list[float]]) -> list[Any]:
        """Answer rows, each as its values."""
        given = self._tensorflow.constant(rows, dtype=self._dtype, shape=(len(rows), len(rows[0]) if rows else 0))
        made = self._function(given).numpy()
        listed: list[Any] = made.reshape(len(rows), -1).tolist()
        return [row[0] for row in listed] if listed and len(listed[0]) == 1 else listed

    def convert(self, file: str, opset: int) -> None:
        """Write it as ONNX."""
        import onnx
        import tf2onnx

        model, _ = tf2onnx.convert.from_function(self._function, input_signature=[self._given], opset=opset)
        # What layers have adapted to are constants of the function, which the converter takes for more inputs.
        concrete = self._function.get_concrete_function(self._given)
        resource = self._tensorflow.resource
        known = {inner.name: outer.numpy() for outer, inner in concrete.graph.captures if inner.dtype != resource}
        for given in [each for each in model.graph.input if each.name in known]:
            model.graph.initializer.append(onnx.numpy_helper.from_array(known[given.name], given.name))
            model.graph.input.remove(given)
        onnx.save(model, file)

    def _answered(self, given: Any) -> Any:  # noqa: ANN401
        made = self._call(given)
        if isinstance(made, dict | list | tuple):
            parts = list(made.values()) if isinstance(made, dict) else list(made)
            if len(parts) != 1:
                raise Refused(f"it answers {len(parts)} tensors; let it return one")
            (made,) = parts
        return made


def _keras_model(tensorflow: Any, path: str) -> tuple[Callable[[Any], Any], list[Any], str]:  # noqa: ANN401
    """What calls a model in a file of Keras, its inputs, and what it is."""
    model = tensorflow.keras.models.load_model(path, compile=False)
    specs = [tensorflow.TensorSpec(each.shape, each.dtype, name=each.name) for each in model.inputs]
    return lambda given: model(given, training=False), specs, f"Keras {type(model).__name__}"


def _saved_model(tensorflow: Any, path: str) -> tuple[Callable[[Any], Any], list[Any], str]:  # noqa: ANN401
    """What calls a SavedModel, its inputs, and what it is."""
    loaded = tensorflow.saved_model.load(path)
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise Refused(
            f"it has no signature serving_default (found: {', '.join(loaded.signatures) or 'none'}); "
            "write it with model.export(FOLDER)"
        )
    named = signature.structured_input_signature[1]
    specs = list(named.values())
    # The signature belongs to what was loaded, which must live as long.
    return lambda given, _kept=loaded: signature(**dict.fromkeys(named, given)), specs, "SavedModel"


def _only_table(specs: list[Any]) -> tuple[int, str]:
    """The width and type of the one input."""
    if len(specs) != 1:
        names = ", ".join(str(spec.name) for spec in specs)
        raise Refused(f"it takes {len(specs)} inputs ({names}), and one table of numbers can be imported")
    (only,) = specs
    shape, dtype = only.shape.as_list(), only.dtype
    if len(shape) != 2 or shape[1] is None or not (dtype.is_floating or dtype.is_integer):
        sizes = ["rows" if size is None else str(size) for size in shape]
        raise Refused(
            f"its input {only.name!r} has the shape ({', '.join(sizes)}) and type {dtype.name}, and a sample of rows "
            "and columns has no such values"
        )
    return int(shape[1]), str(dtype.name)


def _described(program: Program) -> dict[str, Any]:
    versions = {}
    for names in (("tensorflow", "tensorflow-cpu"), ("keras",), ("tf2onnx",)):
        for name in names:
            try:
                versions[names[0]] = version(name)
            except ImportError:  # PackageNotFoundError is one: it is called otherwise
                continue
    return {"model": program.what, "width": program.width, "versions": versions}


def _handled(program: Program | None, request: dict[str, Any]) -> tuple[Program | None, object]:
    if program is None:
        import tf2onnx  # noqa: F401  asked for before the model is loaded, which takes long

        program = Program(request["load"])
        return program, _described(program)
    if "rows" in request:
        return program, program.answer(request["rows"])
    program.convert(request["convert"], request["opset"])
    return program, True


def main() -> int:
    """Answer requests; the first one loads the model."""
    # What the library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    program: Program | None = None
    for line in sys.stdin:
        try:
            program, made = _handled(program, json.loads(line))
            reply: dict[str, object] = {"made": made}
        except ModuleNotFoundError as error:
            reply = {"missing": error.name}
        except Refused as refused:
            reply = {"refused": str(refused)}
        except Exception as error:  # noqa: BLE001  what tensorflow raises has no common base
            reply = {"failed": " ".join(f"{type(error).__name__}: {error}".split())[:400]}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
