"""What Triton's python backend runs: whole in the repository, and with the words of libraries cut short."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from viridian_serving.artifacts import library_words
from viridian_serving.triton.config_file import copy_backend

FROM_ONNX = (
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while running Gather node. Name:'g'\n"
    "Status Message: /onnxruntime_src/tensor/gather.cc:42 indices element out of data bounds, idx=9"
)


class _Failing:
    """A runner of a model that fails."""

    library, file = "ONNX Runtime", "model.onnx"
    ranks, outputs = {"x": 2}, ("y",)

    def __init__(self, config: object, parameters: object) -> None:
        del config, parameters

    def run(self, feed: object) -> list[Any]:
        raise RuntimeError(FROM_ONNX)


def test_a_failure_names_library_and_file_and_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    # given the backend's own modules, and a request
    backend: Any = ModuleType("triton_python_backend_utils")
    backend.TritonError = str
    backend.InferenceResponse = lambda error: error
    backend.get_input_tensor_by_name = lambda request, name: SimpleNamespace(as_numpy=lambda: request[name])
    runner: Any = ModuleType("runner")
    runner.Runner = _Failing
    for module in (backend, runner):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "library_words", library_words)
    monkeypatch.delitem(sys.modules, "viridian_serving.triton.backend_model", raising=False)
    model = import_module("viridian_serving.triton.backend_model").TritonPythonModel()
    monkeypatch.delitem(sys.modules, "viridian_serving.triton.backend_model")
    model.initialize({"model_config": '{"parameters": {"rows": {"string_value": "yes"}}, "output": []}'})
    # when
    (answer,) = model.execute([{"x": np.zeros((1, 1))}])
    # then
    said = "running Gather node 'g': indices element out of data bounds, idx=9"
    assert answer == f"ONNX Runtime failed with model.onnx (RuntimeError: {said})"


@pytest.mark.parametrize(("runner", "modules"), [("backend_native", ["native_model"]), ("backend_onnx", [])])
def test_what_is_copied_needs_nothing_else_of_ours(tmp_path: Path, runner: str, modules: list[str]) -> None:
    # given
    copy_backend(tmp_path, runner, *modules)
    (tmp_path / "triton_python_backend_utils.py").touch()  # the backend's own
    # when it is imported where this package is not found
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import model; print('viridian_serving' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
    # then
    assert (done.stdout, done.stderr) == ("False\n", "")
