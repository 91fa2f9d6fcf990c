"""Whether a served model answers as ONNX Runtime does: by both protocols, alone, and eight different ones at a time."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tritonclient.http as oip
from tests.bench.models.zoo import Entry
from tests.serving.local import Local
from tritonclient.utils import np_to_triton_dtype

from viridian_serving.codec.trial_inputs import shapes_to_try
from viridian_serving.triton.batching import Array, Feed, Runner, made_up
from viridian_serving.triton.onnx_model import inspect, session_of

_AT_ONCE = 8
_CLOSE = 2e-3
"""Of an output's greatest value."""
_SECONDS = 60
_SLOW = 0.3
"""Seconds for a run above which two different inputs must do."""


def differing(entry: Entry, local: Local, health: dict[str, Any]) -> str:
    """Ask a model and say what differs; nothing when all is equal.

    Args:
        entry: The model.
        local: It is ready.
        health: What it says of itself.
    """
    session = session_of(entry.file)
    feeds = _inputs(entry, session)
    began = time.monotonic()
    session.run(None, feeds[0])
    if time.monotonic() - began > _SLOW:
        feeds = feeds[:2]
    wanted = [session.run(None, feed) for feed in feeds]
    names = [node.name for node in session.get_outputs()]
    again = session.run(None, feeds[0])
    if any(not _is_close(once, twice) for once, twice in zip(wanted[0], again, strict=True)):
        return ""  # it differs from itself
    url, model = local.url.removeprefix("http://"), health["model"]
    for position, feed in enumerate(feeds):
        if not _all_close(wanted[position], _infer(url, model, names, feed)):
            return "alone, by the inference protocol"
    for _ in range(3):
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            answers = list(threads.map(lambda feed: _infer(url, model, names, feed), feeds))
        if not all(_all_close(want, answer) for want, answer in zip(wanted, answers, strict=True)):
            return "at the same time, by the inference protocol"
    return _by_predict(local, health, feeds, wanted)


def _by_predict(local: Local, health: dict[str, Any], feeds: Sequence[Feed], wanted: Sequence[Sequence[Array]]) -> str:
    if not all(np.isfinite(each).all() for want in wanted for each in want if each.dtype.kind == "f"):
        return ""  # JSON cannot say it, and /predict refuses it
    bodies = [json.dumps(_instance(feed, health)).encode() for feed in feeds]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = list(threads.map(lambda body: _predict(local.port, body), bodies))
    for want, (status, answer) in zip(wanted, answers, strict=True):
        if status != 200:
            return f"/predict answers {status}: {str(answer)[:300]}"

        if not _are_among(want, answer):
            return "by /predict"
    return ""


def _are_among(want: Sequence[Array], answer: dict[str, Any]) -> bool:
    """Whether the answer holds all that the model gives, in whichever members."""
    given = list(_leaves([answer[name] for name in ("prediction", "probabilities", "outputs") if name in answer]))
    numbers = np.sort(np.array([value for value in given if not isinstance(value, str)], dtype=np.float64))
    floats = [np.asarray(each).ravel().astype(np.float64) for each in want if each.dtype.kind != "O"]
    wanted = np.sort(np.concatenate(floats)) if floats else np.zeros(0)
    words = sorted(value for value in given if isinstance(value, str))
    return (
        numbers.shape == wanted.shape
        and _is_close(wanted, numbers)
        and words == sorted(str(value) for each in want if each.dtype.kind == "O" for value in each.ravel())
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    elif value is not None:
        yield value


def _inputs(entry: Entry, session: onnxruntime.InferenceSession) -> list[Feed]:
    """Eight different inputs of one instance each."""
    if entry.data is not None:
        first = _recorded(entry.data, session)
        return [first, *({name: _scaled(array, 1 + n / 10) for name, array in first.items()} for n in range(1, 8))]
    model = inspect(entry.file, session)
    runner = Runner(session, _SECONDS)
    for shapes in shapes_to_try([each.shape for each in model.inputs], [each.sizes for each in model.inputs]):
        for kind in range(4):
            feeds = [made_up(model.inputs, shapes, kind, row) for row in range(_AT_ONCE)]
            if all(runner.run(feed) is not None for feed in feeds):
                return feeds
    raise AssertionError(f"{entry.name} takes none of the inputs that are made up here")


def _scaled(array: Array, factor: float) -> Array:
    return (array * factor).astype(array.dtype) if array.dtype.kind == "f" else array


def _recorded(folder: Path, session: onnxruntime.InferenceSession) -> Feed:
    feed = {}
    for position, node in enumerate(session.get_inputs()):
        tensor = onnx.TensorProto.FromString((folder / f"input_{position}.pb").read_bytes())
        feed[node.name] = onnx.numpy_helper.to_array(tensor)
    return feed


def _instance(feed: Feed, health: dict[str, Any]) -> dict[str, Any]:
    instance = {}
    for feature in health["features"]:
        array = feed[feature["name"]]
        if health["batch"]["mode"] != "none":
            array = array[0] if array.ndim else array
        instance[feature["name"]] = array.tolist()
    return instance


def _predict(port: int, body: bytes) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    connection.request("POST", "/predict", body)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def _infer(url: str, model: str, names: Sequence[str], feed: Feed) -> list[Array]:
    client = oip.InferenceServerClient(url, network_timeout=_SECONDS, connection_timeout=_SECONDS)
    ranks = {each["name"]: len(each["shape"]) for each in client.get_model_metadata(model)["inputs"]}
    inputs = []
    for name, array in feed.items():
        shaped = array.reshape((*array.shape, *[1] * (ranks[name] - array.ndim)))
        shaped = shaped.astype(np.object_) if shaped.dtype.kind in "UO" else shaped
        given = oip.InferInput(name, list(shaped.shape), np_to_triton_dtype(shaped.dtype))
        given.set_data_from_numpy(np.ascontiguousarray(shaped))
        inputs.append(given)
    result = client.infer(model, inputs)
    client.close()
    return [result.as_numpy(name) for name in names]


def _all_close(wanted: Sequence[Array], given: Sequence[Array]) -> bool:
    return all(_is_close(want, each) for want, each in zip(wanted, given, strict=True))


def _is_close(want: Array, given: Array) -> bool:
    want, given = np.asarray(want).ravel(), np.asarray(given).ravel()
    if want.shape != given.shape:
        return False
    if want.dtype.kind in "OSU":
        return [_text(each) for each in want] == [_text(each) for each in given]
    first, second = want.astype(np.float64), given.astype(np.float64)
    finite = np.isfinite(first)
    scale = max(1e-3, float(np.abs(first[finite]).max()) if finite.any() else 0.0)
    return bool(np.allclose(first, second, rtol=0, atol=_CLOSE * scale, equal_nan=True))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
