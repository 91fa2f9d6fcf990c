"""What is said about models that cannot be served, and the configuration for those that can."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serving import models

from viridian_serving.artifacts.locate import ModelError, locate, model_file
from viridian_serving.settings.config import Settings
from viridian_serving.triton.config_file import MAX_BATCH, onnxruntime_config, python_config
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor, inspect
from viridian_serving.triton.pbtxt import parse


def settings(root: Path, uri: str, *, mounted: bool = False) -> Settings:
    given = dict.fromkeys(("namespace", "model", "model_version", "revision", "pod_uid"), "x")
    places = {"image_root": root, "model_mount": root / "mount"}
    return Settings(**given, model_uri=uri, model_mounted=mounted, color="blue", **places)


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("ftp://models/iris", "write image:///PATH, pvc://CLAIM/PATH, https://HOST/PATH, or an address of a store"),
        ("/models/iris", "write image:///PATH"),
        ("image://models/iris/v1", "write three slashes"),
        ("image:///models/../etc", "has no absolute path"),
        ("image:///models/iris/v9", "which this image does not contain"),
        ("pvc://models/iris/v9", "which claim models does not hold"),
        ("pvc://models/../etc", "has no absolute path"),
        ("https://models.example.com/iris", "has not been fetched"),
        ("s3://models/iris", "has not been fetched"),
    ],
)
def test_a_uri_that_leads_nowhere_is_refused_with_the_way_out(tmp_path: Path, uri: str, wanted: str) -> None:
    with pytest.raises(ModelError, match=re.escape(wanted)):
        locate(settings(tmp_path, uri))


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("image:///models/iris/v1", "models/iris/v1"),
        ("pvc://models/iris/v1", "mount/iris/v1"),
        ("https://models.example.com/iris.tar.gz", "mount/model"),
    ],
)
def test_each_kind_of_uri_has_its_place(tmp_path: Path, uri: str, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    assert locate(settings(tmp_path, uri)) == tmp_path / place


def test_a_mounted_image_has_the_model_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "mount" / "models").mkdir(parents=True)
    mounted = settings(tmp_path, f"oci://ghcr.io/acme/iris@sha256:{64 * '0'}", mounted=True)
    assert locate(mounted) == tmp_path / "mount" / "models"
    assert not mounted.is_fetched


@pytest.mark.parametrize("place", ["model.onnx", "iris/model.onnx", "model.onnx/model.onnx"])
def test_the_onnx_file_may_lie_in_the_only_folder_of_an_archive(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(b"x")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".hidden").mkdir()
    assert model_file(tmp_path) == tmp_path / place


def test_the_onnx_file_may_be_named_itself(tmp_path: Path) -> None:
    (tmp_path / "iris.onnx").write_bytes(b"x")
    assert model_file(tmp_path / "iris.onnx") == tmp_path / "iris.onnx"


def test_a_directory_without_the_file_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "iris.onnx").touch()
    with pytest.raises(ModelError, match=r"found: iris\.onnx.*name the model's file model\.onnx"):
        model_file(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(ModelError, match="is empty"):
        model_file(tmp_path)


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (models.corrupt, "not an ONNX model or is damaged"),
        (models.not_onnx, "not an ONNX model or is damaged"),
        (models.no_inputs, "has no inputs"),
        (models.with_zipmap, "zipmap off"),
        (models.unknown_operator, "cannot load"),
        (models.future_opset, "older target_opset"),
        (models.complex_input, "which cannot be served"),
    ],
)
def test_a_model_that_cannot_be_served_gives_one_sentence(
    tmp_path: Path, make: Callable[[Path], Path], wanted: str
) -> None:
    # given
    file = make(tmp_path)
    # when
    with pytest.raises(ModelError) as error:
        inspect(file)
    # then
    assert wanted in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("make", "batched", "inputs"),
    [
        (models.lookup, True, {"i": ("TYPE_INT64", (-1, 1))}),
        (models.mixed, True, {"a": ("TYPE_FP32", (-1, 2)), "s": ("TYPE_STRING", (-1, 1))}),
        (models.one_instance, False, {"x": ("TYPE_FP32", (1, 2))}),
    ],
)
def test_inputs_are_read_from_the_file(
    tmp_path: Path,
    make: Callable[[Path], Path],
    batched: bool,
    inputs: dict[str, tuple[str, tuple[int, ...]]],
) -> None:
    model = inspect(make(tmp_path))
    assert model.batched is batched
    assert {tensor.name: (tensor.triton_type, tensor.shape) for tensor in model.inputs} == inputs


X = OnnxTensor("X", "TYPE_FP32", (-1, 64))
FIXED = OnnxTensor("X", "TYPE_FP32", (1, 64))
LABEL = OnnxTensor("label", "TYPE_INT64", (-1,))
SEQUENCE = OnnxTensor('in "quotes"', "TYPE_STRING", (-1, -1, 3))


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (
            OnnxModel((X,), (LABEL,)),
            [
                'name: "digits"',
                'backend: "python"',
                f"max_batch_size: {MAX_BATCH}",
                '  { name: "X" data_type: TYPE_FP32 dims: [ 64 ] }',
                '  { name: "label" data_type: TYPE_INT64 dims: [ 1 ] }',
                "dynamic_batching { }",
                'parameters { key: "threads" value { string_value: "2" } }',
            ],
        ),
        (
            OnnxModel((FIXED,), (LABEL,)),
            ["max_batch_size: 0", '  { name: "X" data_type: TYPE_FP32 dims: [ 1, 64 ] }'],
        ),
        (
            OnnxModel((SEQUENCE, X), (LABEL,)),
            [
                '  { name: "in \\"quotes\\"" data_type: TYPE_STRING dims: [ -1, 3 ] },',
                '  { name: "X" data_type: TYPE_FP32 dims: [ 64 ] }',
            ],
        ),
    ],
    ids=["batched", "not batched", "strings and quotes"],
)
def test_triton_configuration(model: OnnxModel, lines: list[str]) -> None:
    # when
    text = python_config("digits", model, Path("/models/model.onnx"), threads=2)
    # then
    written = text.splitlines()
    assert [line for line in lines if line not in written] == []
    assert ("dynamic_batching { }" in written) is model.batched
    assert "queue_policy" not in text


SCALAR = OnnxTensor("score", "TYPE_FP32", ())


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        (
            OnnxModel((X,), (LABEL,)),
            [
                'backend: "onnxruntime"',
                'default_model_filename: "iris.onnx"',
                f"max_batch_size: {MAX_BATCH}",
                '  { name: "X" data_type: TYPE_FP32 dims: [ 64 ] }',
                # a bare column, which is [N] to the model and [N, 1] to Triton's clients, as behind the other backend
                '  { name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape { shape: [ ] } }',
                "instance_group [ { count: 1 kind: KIND_AUTO } ]",
                "dynamic_batching { }",
                'parameters { key: "intra_op_thread_count" value { string_value: "2" } }',
                'parameters { key: "inter_op_thread_count" value { string_value: "1" } }',
            ],
        ),
        (
            OnnxModel((FIXED,), (LABEL, SCALAR)),
            [
                "max_batch_size: 0",
                '  { name: "label" data_type: TYPE_INT64 dims: [ -1 ] },',
                '  { name: "score" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } }',
            ],
        ),
    ],
    ids=["batched", "not batched"],
)
def test_triton_configuration_for_its_own_onnx_runtime(model: OnnxModel, lines: list[str]) -> None:
    # when
    text = onnxruntime_config("digits", model, "iris.onnx", threads=2)
    # then
    written = text.splitlines()
    assert [line for line in lines if line not in written] == []
    assert ("dynamic_batching { }" in written) is model.batched
    assert parse(text)
