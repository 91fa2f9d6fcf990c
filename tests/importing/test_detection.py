"""What a file or folder is taken for."""

from pathlib import Path

import pytest

from viridian_import.faults import ImportFault
from viridian_import.messages import Source
from viridian_import.original.detection import detect


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("m.joblib", b"\x80", Source.PICKLE),
        ("m.PKL", b"\x80", Source.PICKLE),
        ("m.skops", b"PK", Source.SKOPS),
        ("m.json", b'{"learner": {}}', Source.XGBOOST),
        ("m.ubj", b"{L", Source.XGBOOST),
        ("m.txt", b"tree\nversion=v4\n", Source.LIGHTGBM),
        ("m.onnx", b"\x08", Source.ONNX),
        ("m.cbm", b"CBM1", Source.CATBOOST),
        ("m", b"CBM1", Source.CATBOOST),
        ("m.pt2", b"PK", Source.TORCH),
        ("m.pt", b"PK", Source.TORCH),
        ("m.keras", b"PK", Source.KERAS),
        ("m.h5", b"\x89HDF", Source.KERAS),
        ("m.joblib.gz", b"\x1f\x8b", Source.PICKLE),
        ("v1.2.PKL.xz", b"\xfd7zXZ", Source.PICKLE),
    ],
)
def test_a_file_is_known_by_its_name_or_its_first_bytes(
    tmp_path: Path, name: str, content: bytes, source: Source
) -> None:
    file = written(tmp_path, {name: content}) / name
    assert (detect(file).path, detect(file).source) == (file, source)


@pytest.mark.parametrize(
    ("flavors", "source"),
    [
        ("sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}", Source.PICKLE),
        ("xgboost: {data: model.ubj}", Source.XGBOOST),
        ("lightgbm: {data: model.lgb}", Source.LIGHTGBM),
        ("onnx: {data: model.onnx}", Source.ONNX),
    ],
)
def test_a_folder_of_mlflow_is_the_file_that_its_flavour_names(tmp_path: Path, flavors: str, source: Source) -> None:
    # given
    mlmodel = f"flavors:\n  {flavors}\n  python_function: {{loader_module: mlflow.x, code: code}}\n"
    name = flavors.partition(": ")[2].strip("{}").partition(": ")[2].partition(",")[0]
    folder = written(tmp_path, {"MLmodel": mlmodel.encode(), name: b"x", "code/own.py": b""})
    # when
    found = detect(folder)
    # then
    assert (found.path, found.source, found.code) == (folder / name, source, folder / "code")


@pytest.mark.parametrize(
    ("flavor", "files", "found"),
    [
        ("keras: {data: data, save_exported_model: false}", ["data/model.keras"], "data/model.keras"),
        ("keras: {data: data, save_exported_model: true}", ["data/model/saved_model.pb"], "data/model"),
        ("tensorflow: {data: data, model_type: keras, save_format: h5}", ["data/model.h5"], "data/model.h5"),
        ("tensorflow: {model_type: tf2-module, saved_model_dir: tf2model}", ["tf2model/saved_model.pb"], "tf2model"),
    ],
    ids=["keras", "keras, exported", "tensorflow, h5", "a module of TensorFlow"],
)
def test_a_model_of_keras_is_found_in_the_folder_that_its_flavour_names(
    tmp_path: Path, flavor: str, files: list[str], found: str
) -> None:
    given = {"MLmodel": f"flavors:\n  {flavor}\n".encode(), "data/keras_module.txt": b"keras"}
    folder = written(tmp_path, {**given, **dict.fromkeys(files, b"x")})
    assert (detect(folder).path, detect(folder).source) == (folder / found, Source.KERAS)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"MLmodel": b"flavors: {sklearn: {pickled_model: ../model.pkl}}"}, "is outside of its folder"),
        ({"MLmodel": b"flavors: {sklearn: {pickled_model: model.pkl}}"}, "which is not there; fetch all of the"),
        ({"MLmodel": b"flavors: {prophet: {data: m.json}}"}, "with the flavours prophet, and none of sklearn"),
        ({"MLmodel": b"{"}, "MLmodel cannot be read"),
        (
            {"1/model.py": b"x", "config.pbtxt": b'name: "m" backend: "python"'},
            "model repository of Triton, which is served as it is",
        ),
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, "a model of Hugging Face; export it to ONNX"),
        ({"meta.yaml": b"x", "artifacts/model/MLmodel": b""}, "below it; name that one: .*artifacts/model$"),
        ({"m.joblib": b"x"}, "is a pickle, .*: viridian import .*m.joblib --trusted --sample data.csv$"),
        ({"notes.md": b"x"}, "is nothing that can be imported; name a model of scikit-learn"),
    ],
)
def test_a_folder_that_is_not_imported_is_told_the_way_out(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    with pytest.raises(ImportFault, match=words):
        detect(written(tmp_path, files))


def test_a_file_that_is_not_imported_is_told_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ImportFault, match="a model of TensorFlow Lite; export it to ONNX"):
        detect(written(tmp_path, {"m.tflite": b"x"}) / "m.tflite")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.joblib", b"", r"m\.joblib is empty; copy it again, or save the model again$"),
        ("m.json", b"", r"m\.json is empty"),
        ("run.zip", b"PK", r"run\.zip is an archive; unpack it and name the folder$"),
        ("model.tar.gz", b"\x1f\x8b", r"model\.tar\.gz is an archive; unpack it and name the folder$"),
        ("m.json.gz", b"\x1f\x8b", r"m\.json\.gz is an archive; unpack it"),
    ],
)
def test_what_is_empty_or_packed_is_said(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(ImportFault, match=words):
        detect(written(tmp_path, {name: content}) / name)


def test_a_saved_model_is_known_by_its_file(tmp_path: Path) -> None:
    folder = written(tmp_path, {"saved_model.pb": b"", "variables/variables.index": b""})
    assert (detect(folder).path, detect(folder).source) == (folder, Source.KERAS)


def test_a_folder_of_hugging_face_is_known_by_its_weights(tmp_path: Path) -> None:
    folder = written(tmp_path, {"config.json": b"{}", "model.safetensors": b""})
    assert (detect(folder).path, detect(folder).source) == (folder, Source.HUGGING_FACE)


def test_a_path_without_anything_is_said(tmp_path: Path) -> None:
    with pytest.raises(ImportFault, match=r"there is no .*; name the file or folder of a model"):
        detect(tmp_path / "none.joblib")
