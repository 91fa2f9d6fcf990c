"""What the first dimension of a model is found to be, by running it, and what says otherwise."""

import sys
from functools import partial
from pathlib import Path

import pytest
from tests.bench.models import graphs
from tests.serving import models

from viridian_serving.artifacts.locate import ModelError
from viridian_serving.codec.tensors import Batch
from viridian_serving.codec.trial_inputs import shapes_to_try
from viridian_serving.triton import batching, examination
from viridian_serving.triton.batching import Runner
from viridian_serving.triton.config_file import onnxruntime_config, python_config
from viridian_serving.triton.examination import examine_apart
from viridian_serving.triton.onnx_examination import examined
from viridian_serving.triton.onnx_model import OnnxModel
from viridian_serving.triton.pbtxt import messages, parse, scalar, values

GRAPHS = dict(graphs.models())


def laid(directory: Path, name: str, **beside: str) -> Path:
    file = directory / "model.onnx"
    file.write_bytes(GRAPHS[name].SerializeToString())
    for stem, text in beside.items():
        (directory / f"{stem}.{'json' if stem == 'sample' else 'yaml'}").write_text(text)
    return file


def mode_of(model: OnnxModel) -> tuple[Batch | None, str]:
    return (model.batching.mode, model.batching.reason) if model.batching is not None else (None, "")


@pytest.mark.parametrize(
    ("name", "mode", "why"),
    [
        ("bare-column", Batch.JOINED, ""),
        ("type-STRING", Batch.JOINED, ""),
        ("type-BOOL", Batch.JOINED, ""),
        ("type-FLOAT16", Batch.JOINED, ""),
        ("open-image-size", Batch.JOINED, ""),
        ("open-sound-size", Batch.JOINED, ""),
        ("divides-by-its-input", Batch.JOINED, ""),
        ("two-sequences", Batch.JOINED, ""),
        ("wrongly-declared-output", Batch.JOINED, ""),
        ("dynamic-quantization", Batch.SINGLE, "as with dynamic quantization, so that each is run by itself"),
        ("random-numbers", Batch.SINGLE, "output 'y' differs from run to run"),
        ("time-major-lstm", Batch.NONE, "get another 'y' than apart"),
        ("time-major-gru", Batch.NONE, "the first dimension is a part of what one instance is"),
        ("time-major-rnn-of-batches", Batch.NONE, "get another 'y' than apart"),
        ("softmax-over-rows", Batch.NONE, "get another 'y' than apart"),
        ("centred-by-all-rows", Batch.NONE, "get another 'y' than apart"),
        ("own-row-count", Batch.NONE, "output 'y' has not one row for each instance"),
        ("loss-of-all-rows", Batch.NONE, "output 'loss' has not one row for each instance"),
        ("scalar-input", None, ""),
        ("image-of-640", None, ""),
        ("fixed-batch-of-8", None, ""),
    ],
)
def test_requests_are_joined_where_rows_are_answered_alike(
    tmp_path: Path, name: str, mode: Batch | None, why: str
) -> None:
    found, reason = mode_of(examined(laid(tmp_path, name)))
    assert found is mode
    assert why in reason
    assert bool(reason) is (mode in (Batch.SINGLE, Batch.NONE))


@pytest.mark.parametrize(("axis", "mode"), [(0, Batch.NONE), (1, Batch.JOINED)])
def test_answers_that_are_no_numbers_tell_nothing(tmp_path: Path, axis: int, mode: Batch) -> None:
    # given a model that answers NaN, which looks alike, to all but positive numbers
    (tmp_path / "model.onnx").write_bytes(graphs.of_positive(axis).SerializeToString())
    (tmp_path / "sample.json").write_text('[{"x": [-1, -1]}]')
    # then others are tried
    assert mode_of(examined(tmp_path / "model.onnx"))[0] is mode


def test_where_no_answer_is_a_number_nothing_is_joined(tmp_path: Path) -> None:
    mode, why = mode_of(examined(laid(tmp_path, "never-a-number")))
    assert mode is Batch.SINGLE
    assert "are no finite numbers" in why


def test_a_model_that_takes_no_made_up_input_is_not_joined(tmp_path: Path) -> None:
    mode, why = mode_of(examined(models.picky(tmp_path)))
    assert mode is Batch.SINGLE
    assert "put an input that it takes into sample.json" in why


def test_a_sample_lets_it_be_compared(tmp_path: Path) -> None:
    # given
    file = models.picky(tmp_path)
    (tmp_path / "sample.json").write_text('[{"i": 6}, {"i": 8}, {"i": 9}]')
    # then
    assert mode_of(examined(file)) == (Batch.JOINED, "")


def test_a_model_that_is_too_slow_to_be_compared_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "Runner", partial(Runner, seconds=0))
    mode, why = mode_of(examined(models.lookup(tmp_path)))
    assert mode is Batch.SINGLE
    assert why.startswith("it did not answer trial inputs within 20 s")


@pytest.mark.parametrize("mode", list(Batch))
def test_the_author_knows_better(tmp_path: Path, mode: Batch) -> None:
    found, why = mode_of(examined(laid(tmp_path, "time-major-lstm", schema=f"batch: {mode}")))
    assert found is mode
    assert why == ("" if mode is Batch.JOINED else f"schema.yaml says batch: {mode}")


def test_a_sample_with_the_first_dimension_says_that_it_is_no_batch(tmp_path: Path) -> None:
    # given a model whose rows are independent, and an author who writes two of them as one instance
    file = laid(tmp_path, "type-DOUBLE", sample='{"x": [[1, 2, 3], [4, 5, 6]]}')
    # then
    assert mode_of(examined(file)) == (Batch.NONE, "sample.json has the first dimension in an instance")


def test_what_is_no_batch_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"first dimension of input 'x' of .* is not open; export"):
        examined(laid(tmp_path, "fixed-batch-of-8", schema="batch: joined"))


@pytest.mark.parametrize(
    ("name", "shape", "as_declared"),
    [
        ("wrongly-declared-output", (-1,), False),
        ("bare-column", (-1,), True),
        ("only-a-scalar", (), True),
        ("open-image-size", (-1, 8, -1, -1), True),
    ],
)
def test_outputs_get_the_shapes_that_they_have(
    tmp_path: Path, name: str, shape: tuple[int, ...], as_declared: bool
) -> None:
    model = examined(laid(tmp_path, name))
    assert (model.outputs[0].shape, model.as_declared) == (shape, as_declared)


@pytest.mark.parametrize(
    ("name", "max_batch", "dims", "told"),
    [
        ("bare-column", 128, ["1"], []),
        ("dynamic-quantization", 0, ["-1", "16"], ["single"]),
        ("time-major-lstm", 0, ["-1", "1", "3"], ["none"]),
        ("scalar-input", 0, ["-1", "4"], []),
    ],
)
def test_triton_joins_only_where_the_api_does(
    tmp_path: Path, name: str, max_batch: int, dims: list[str], told: list[str]
) -> None:
    # given
    model = examined(laid(tmp_path, name))
    for text in (
        python_config("m", model, tmp_path / "model.onnx", 1),
        onnxruntime_config("m", model, "model.onnx", 1),
    ):
        # when
        config = parse(text)
        # then
        assert scalar(config, "max_batch_size") == str(max_batch)
        assert [str(value) for value in values(messages(config, "input")[0], "dims")] == dims
        assert ("dynamic_batching" in text) is (max_batch > 0)
        parameters = {scalar(each, "key"): messages(each, "value")[0] for each in messages(config, "parameters")}
        found = [scalar(value, "string_value") for key, value in parameters.items() if key == "viridian_batch"]
        assert found == told


@pytest.mark.parametrize(
    ("dims", "names", "fits"),
    [
        ([(3, -1, -1)], (), ((3, 640, 640),)),
        ([(-1,), (-1,)], (), ((16000,), (16000,))),
        ([(-1, -1), (2, -1, 128), ()], (), ((1, 512), (2, 1, 128), ())),
        ([(-1, -1), (-1, -1)], (("batch", "n"), ("batch", "n")), ((1, 64), (1, 64))),
        ([(4,)], (), ((4,),)),
    ],
    ids=["images", "two sequences", "a state beside a window of sound", "equal names", "nothing open"],
)
def test_sizes_that_models_often_have_are_tried(
    dims: list[tuple[int, ...]], names: tuple[tuple[str, ...], ...], fits: tuple[tuple[int, ...], ...]
) -> None:
    tried = list(shapes_to_try(dims, names))
    assert fits in tried
    assert len(tried) == len(set(tried)) <= 120


def test_a_model_is_examined_in_a_process_of_its_own(tmp_path: Path) -> None:
    file = laid(tmp_path, "time-major-lstm")
    assert examine_apart(file, 1) == examined(file)
    with pytest.raises(ModelError, match="is not an ONNX model or is damaged"):
        examine_apart(models.not_onnx(tmp_path / "broken"), 1)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"crashes ONNX Runtime \(SIGSEGV\)"),
        ("raise SystemExit(3)", "could not be looked at"),
        ("import time; time.sleep(60)", r"was not loaded and tried within 0\.5 s"),
    ],
)
def test_one_that_ends_it_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str, words: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{ends}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(examination, "_LOADING", 0.5 if "sleep" in ends else 60.0)
    with pytest.raises(ModelError, match=words):
        examine_apart(tmp_path / "model.onnx", 1)
