"""Whether the first dimension of a model's tensors counts instances, found out by running it.

ONNX has no word for a batch. A model whose first dimension is open may take any number of instances, or a series of any
length, and what looks alike in the file must not be treated alike: rows of a recurrent model that come from several
clients are one series to it, and each gets an answer that depends on the others. So different rows are run apart and
together, once, before the model is served. Requests are joined only where that makes no difference.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import onnxruntime

from viridian_serving.codec.tensors import DYNAMIC, Batch, Batching
from viridian_serving.codec.trial_inputs import shapes_to_try
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor

Array = np.ndarray[Any, np.dtype[Any]]
Feed = dict[str, Array]

ROWS: Final = 2
"""Different rows that are compared."""
SECONDS: Final = 20.0
"""For all of it; a model that takes longer is served without joining."""
_TAKEN: Final = 8
"""Inputs that are answered and tell nothing, because the answers are all the same or no numbers, before one must do."""
_AGREE: Final = 1e-3
"""Of the greatest value of an output: what other kernels for other sizes may make of a number."""
_AGREE_FP16: Final = 2e-2
_NEAR: Final = 0.05
"""As above: what quantization by the greatest value of all rows may. Answers differ, but the rows are instances."""
_LEAST: Final = 1e-3
"""Greatest value of an output below which differences are noise of its computation."""

DTYPES: Final[dict[str, Any]] = {
    "TYPE_BOOL": np.bool_,
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    "TYPE_STRING": np.object_,
    **{f"TYPE_{sign}INT{bits}": np.dtype(f"{sign}int{bits}".lower()) for sign in ("", "U") for bits in (8, 16, 32, 64)},
}
_WORDS: Final = ("a", "good film", "2")
_OWN_FIRST: Final = "so the first dimension is a part of what one instance is"
_NOT_TRIED: Final = "so it is not known whether instances can share a call; put an input that it takes into sample.json"


class _TooSlowError(Exception):
    """There is no time left."""


class Runner:
    """Runs a model for so long and no longer."""

    def __init__(self, session: onnxruntime.InferenceSession, seconds: float = SECONDS) -> None:
        self._session = session
        self._deadline = time.monotonic() + seconds

    def run(self, feed: Feed) -> list[Array] | None:
        """Run it; gives None when it fails on this input."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _TooSlowError
        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        stop = threading.Timer(left, setattr, (options, "terminate", True))
        stop.daemon = True
        stop.start()
        try:
            return [np.asarray(result) for result in self._session.run(None, feed, options)]
        except Exception as error:  # its exceptions share no base but this
            if time.monotonic() >= self._deadline:
                raise _TooSlowError from error
            return None
        finally:
            stop.cancel()


def examine(
    model: OnnxModel,
    session: onnxruntime.InferenceSession,
    samples: Sequence[Feed] = (),
    wanted: Batch | None = None,
    why: str = "",
) -> OnnxModel:
    """Run a model to find out what its first dimension is, and which shapes its outputs have.

    Args:
        model: As it is declared.
        session: With it.
        samples: Inputs that it takes, one instance each, with the first dimension.
        wanted: What somebody who knows the model says of the first dimension; None to find it out.
        why: Where they say it.

    Returns:
        The model with its batching, and with the outputs' shapes as they are.
    """
    runner = Runner(session)
    found = None
    answer = None
    try:
        if model.open_rows and wanted is not Batch.NONE:
            tried = _tried(model, runner, samples)
            found = _judge(model, tried)
            answer = tried.apart[0] if tried is not None else None
        else:
            answer = _any_answer(model, runner, samples)
    except _TooSlowError:
        if model.open_rows:
            found = Batching(Batch.SINGLE, f"it did not answer trial inputs within {SECONDS:g} s, {_NOT_TRIED}")
    if wanted is not None:
        found = Batching(wanted, "" if wanted is Batch.JOINED else why)
    rows = found is not None and found.mode is not Batch.NONE
    outputs = _as_seen(model.outputs, answer, rows=rows) if answer is not None else model.outputs
    return replace(model, outputs=outputs, batching=found, as_declared=outputs == model.outputs)


@dataclass(frozen=True)
class _Answers:
    """Outputs of the same rows."""

    apart: list[list[Array]]
    """For each row."""
    again: Callable[[], list[Array] | None]
    """Runs the first row once more."""
    together: list[Array] | None
    """None when the model takes them one by one only."""


def _tried(model: OnnxModel, runner: Runner, samples: Sequence[Feed]) -> _Answers | None:
    """Run different rows apart and together; gives None when the model takes none that are made up here."""
    taken: list[tuple[list[Feed], list[list[Array]]]] = []
    for rows in _rows(model, samples):
        apart = _apart(runner, rows)
        if apart is not None:
            taken.append((rows, apart))
            if _is_telling(apart) or len(taken) == _TAKEN:
                break
    if not taken:
        return None
    best = [each for each in taken if _is_telling(each[1])] or [each for each in taken if _is_finite(each[1])] or taken
    rows, apart = best[0]
    joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    return _Answers(apart, partial(runner.run, rows[0]), runner.run(joined))


def _apart(runner: Runner, rows: Sequence[Feed]) -> list[list[Array]] | None:
    answers = []
    for row in rows:
        answer = runner.run(row)
        if answer is None:
            return None
        answers.append(answer)
    return answers


def _is_telling(apart: Sequence[Sequence[Array]]) -> bool:
    """Whether the answers would show that rows were mixed up: they are numbers, and not all the same."""
    first, second = apart[:2]
    return _is_finite(apart) and any(_difference(one, other) > 0 for one, other in zip(first, second, strict=True))


def _is_finite(apart: Sequence[Sequence[Array]]) -> bool:
    return all(bool(np.isfinite(each).all()) for answer in apart for each in answer if each.dtype.kind == "f")


def _rows(model: OnnxModel, samples: Sequence[Feed]) -> Iterator[list[Feed]]:
    yield from _of_samples(samples)
    for shapes in shapes_to_try([each.shape for each in model.inputs], [each.sizes for each in model.inputs]):
        if all(shape[:1] == (1,) for shape in shapes):
            for kind in range(len(_KINDS)):
                yield [made_up(model.inputs, shapes, kind, row) for row in range(ROWS)]


def _of_samples(samples: Sequence[Feed]) -> Iterator[list[Feed]]:
    """Rows that are samples, or near one."""
    alike = [each for each in samples if _shapes(each) == _shapes(samples[0])]
    if not alike or any(array.shape[:1] != (1,) for array in alike[0].values()):
        return
    random = np.random.default_rng(0)
    while len(alike) < ROWS:
        alike.append({name: _shaken(array, random) for name, array in alike[0].items()})
    yield alike[:ROWS]
    yield [alike[0]] * ROWS


def _shapes(feed: Feed) -> list[tuple[int, ...]]:
    return [array.shape for array in feed.values()]


def _shaken(array: Array, random: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    shaken: Array = (array * random.uniform(0.5, 1.5, array.shape)).astype(array.dtype)
    return shaken


_VARIED: Final = ("random", "positive", "different")
_KINDS: Final = ("random", "positive", "different", "ones", "zeros")


def made_up(inputs: Sequence[OnnxTensor], shapes: Sequence[tuple[int, ...]], kind: int, row: int) -> Feed:
    """Make an input.

    Args:
        inputs: What the model takes.
        shapes: Of each of them.
        kind: Of the values, a position in _KINDS.
        row: Which of several different ones; those of the last kinds are all alike.
    """
    random = np.random.default_rng(row)
    return {
        tensor.name: _values(DTYPES[tensor.triton_type], shape, _KINDS[kind], row, random)
        for tensor, shape in zip(inputs, shapes, strict=True)
    }


def _values(dtype: Any, shape: tuple[int, ...], kind: str, row: int, random: np.random.Generator) -> Array:  # noqa: ANN401
    if dtype is np.object_:
        return np.full(shape, _WORDS[row % len(_WORDS)] if kind in _VARIED else "", dtype=np.object_)
    if kind == "random":
        drawn = random.normal(size=shape) if np.dtype(dtype).kind == "f" else random.integers(0, 2, shape)
        return np.asarray(drawn).astype(dtype)
    if kind == "positive":
        drawn = random.uniform(0.5, 2, shape) if np.dtype(dtype).kind == "f" else random.integers(1, 3, shape)
        return np.asarray(drawn).astype(dtype)
    value = {"different": 0 if row == 0 else 1, "ones": 1, "zeros": 0}[kind]
    return np.full(shape, value, dtype=dtype)


def _any_answer(model: OnnxModel, runner: Runner, samples: Sequence[Feed]) -> list[Array] | None:
    for sample in samples:
        if (answer := runner.run(sample)) is not None:
            return answer
    dims = [tensor.shape for tensor in model.inputs]
    for shapes in shapes_to_try(dims, [tensor.sizes for tensor in model.inputs]):
        for kind in range(len(_KINDS)):
            answer = runner.run(made_up(model.inputs, shapes, kind, 0))
            if answer is not None:
                return answer
    return None


def _judge(model: OnnxModel, tried: _Answers | None) -> Batching:
    """Compare what was answered apart and together."""
    if tried is None:
        return Batching(Batch.SINGLE, f"no made-up input was answered, {_NOT_TRIED}")
    for position, output in enumerate(model.outputs):
        shapes = {answer[position].shape for answer in tried.apart}
        if any(shape[:1] != (1,) for shape in shapes):
            return Batching(Batch.NONE, f"output {output.name!r} has not one row for each instance, {_OWN_FIRST}")
    if tried.together is None:
        return Batching(Batch.SINGLE, f"the model takes one instance, and fails on {ROWS} together")
    if not _is_finite(tried.apart):
        return Batching(Batch.SINGLE, f"answers to made-up inputs are no finite numbers, {_NOT_TRIED}")
    verdicts = []
    for position, output in enumerate(model.outputs):
        apart = [answer[position] for answer in tried.apart]
        verdicts.append(_compare(output, apart, tried.together[position]))
    if any(each.mode is not Batch.JOINED for each in verdicts) and (changing := _changing(model, tried)) is not None:
        return Batching(Batch.SINGLE, f"output {changing!r} differs from run to run, so instances cannot be compared")
    for mode in (Batch.NONE, Batch.SINGLE):
        if worst := next((each for each in verdicts if each.mode is mode), None):
            return worst
    return Batching(Batch.JOINED)


def _changing(model: OnnxModel, tried: _Answers) -> str | None:
    """The name of an output that is another when the same is asked again."""
    again = tried.again() or tried.apart[0]
    for output, once, twice in zip(model.outputs, tried.apart[0], again, strict=True):
        if _difference(once, twice) > _tolerance(once):
            return output.name
    return None


def _compare(output: OnnxTensor, apart: Sequence[Array], together: Array) -> Batching:
    name = repr(output.name)
    if together.shape[:1] != (len(apart),):
        rows = together.shape[0] if together.ndim else "no"
        return Batching(Batch.NONE, f"output {name} has {rows} rows for {len(apart)} instances, {_OWN_FIRST}")
    if {array.shape[1:] for array in apart} != {together.shape[1:]}:
        return Batching(Batch.SINGLE, f"output {name} has another shape when instances are run together")
    difference = _difference(np.concatenate(apart), together)
    if difference <= _tolerance(together):
        return Batching(Batch.JOINED)
    told = f"rows that are run together get another {name} than apart"
    if math.isinf(difference):
        return Batching(Batch.SINGLE, f"{told}, so that each is run by itself")
    told += f" (by {difference:.2g} of its greatest value)"
    if difference <= _NEAR:
        return Batching(Batch.SINGLE, f"{told}, as with dynamic quantization, so that each is run by itself")
    return Batching(Batch.NONE, f"{told}, {_OWN_FIRST}")


def _tolerance(array: Array) -> float:
    return _AGREE_FP16 if array.dtype == np.float16 else _AGREE


def _difference(one: Array, other: Array) -> float:
    """The greatest difference, as a share of the greatest value; infinite where things differ that are no numbers."""
    if one.shape != other.shape or not one.size:
        return 0.0 if one.shape == other.shape else math.inf
    if one.dtype.kind != "f":
        return 0.0 if bool((one == other).all()) else math.inf
    first, second = one.astype(np.float64), other.astype(np.float64)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    if same.all():
        return 0.0
    finite = np.isfinite(first) & np.isfinite(second)
    if not (same | finite).all():
        return 1.0
    scale = max(np.abs(first[finite]).max(), np.abs(second[finite]).max(), _LEAST)
    return float(np.abs(first - second)[finite].max() / scale)


def _as_seen(outputs: Sequence[OnnxTensor], answer: Sequence[Array], *, rows: bool) -> tuple[OnnxTensor, ...]:
    return tuple(_seen(tensor, array, rows=rows) for tensor, array in zip(outputs, answer, strict=True))


def _seen(tensor: OnnxTensor, array: Array, *, rows: bool) -> OnnxTensor:
    """What a file declares of an output is not always so, and its own runtime does not mind."""
    declared = tensor.shape if len(tensor.shape) == array.ndim else (DYNAMIC,) * array.ndim
    shape = [size if size in (DYNAMIC, seen) else DYNAMIC for size, seen in zip(declared, array.shape, strict=True)]
    if rows and shape:
        shape[0] = DYNAMIC
    return tensor if tuple(shape) == tensor.shape else replace(tensor, shape=tuple(shape), sizes=())
