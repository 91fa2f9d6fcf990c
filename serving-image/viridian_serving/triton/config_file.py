"""Writes Triton's model configuration (config.pbtxt), and copies what its python backend runs."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from viridian_serving.artifacts import library_words
from viridian_serving.codec.tensors import (
    BATCH_PARAMETER,
    DYNAMIC,
    ONNXRUNTIME_THREADS_PARAMETER,
    REASON_PARAMETER,
    THREADS_PARAMETER,
)
from viridian_serving.triton.onnx_model import OnnxModel, OnnxTensor

_HERE: Final = Path(__file__).parent
MAX_BATCH = 128
"""Instances in one call. Larger ones gain nothing and hold up whoever comes next."""


def python_config(name: str, model: OnnxModel, file: Path, threads: int) -> str:
    """Write the configuration for the backend ``python``, which runs ``backend_model.py``.

    Args:
        name: The model's name at Triton.
        model: What the ONNX file declares.
        file: The ONNX file.
        threads: Threads of one inference.

    Returns:
        Text for config.pbtxt.
    """
    return _config(
        name,
        model,
        'backend: "python"',
        "instance_group [ { count: 1 kind: KIND_CPU } ]",
        {"model_file": str(file), THREADS_PARAMETER: str(threads), "rows": "yes" if model.rows else ""},
        squeezed=False,
    )


def onnxruntime_config(name: str, model: OnnxModel, file: str, threads: int) -> str:
    """Write the configuration for Triton's own backend ``onnxruntime``, which uses a GPU where there is one.

    Args:
        name: The model's name at Triton.
        model: What the ONNX file declares.
        file: Name of the ONNX file in the version's folder.
        threads: Threads of one inference.

    Returns:
        Text for config.pbtxt.
    """
    return _config(
        name,
        model,
        f'backend: "onnxruntime"\ndefault_model_filename: {_quoted(file)}',
        "instance_group [ { count: 1 kind: KIND_AUTO } ]",
        {ONNXRUNTIME_THREADS_PARAMETER: str(threads), "inter_op_thread_count": "1"},
        squeezed=True,
    )


def native_config(name: str, model: OnnxModel, folder: Path, form: str) -> str:
    """Write the configuration for the backend ``python``, which runs a model in its own library.

    Args:
        name: The model's name at Triton.
        model: What it takes and gives, as an ONNX file would declare it.
        folder: Of the model.
        form: Its format.

    Returns:
        Text for config.pbtxt.
    """
    return _config(
        name,
        model,
        'backend: "python"',
        "instance_group [ { count: 1 kind: KIND_CPU } ]",
        {"model_folder": str(folder), "format": form, "rows": "yes"},
        squeezed=False,
    )


def copy_backend(version: Path, runner: str, *modules: str) -> None:
    """Copy ``backend_model.py`` and what it imports: the backend finds nothing else of ours.

    Args:
        version: The folder of the model's version in the repository.
        runner: The module that runs the model.
        modules: Those that it imports.
    """
    for module, name in (("backend_model", "model"), (runner, "runner"), *((each, each) for each in modules)):
        shutil.copyfile(_HERE / f"{module}.py", version / f"{name}.py")
    words = Path(library_words.__file__)
    shutil.copyfile(words, version / words.name)


def _config(
    name: str, model: OnnxModel, backend: str, instances: str, parameters: Mapping[str, str], *, squeezed: bool
) -> str:
    # A model with an open first dimension is batched, by our API and once more by Triton for those who speak its
    # protocol directly. No queue policy is set: with one instance, Triton 2.51 then stalls every request for half a
    # second.
    batched = model.batched
    lines = [
        f"name: {_quoted(name)}",
        backend,
        f"max_batch_size: {MAX_BATCH if batched else 0}",
        *_section("input", model.inputs, model, squeezed),
        *_section("output", model.outputs, model, squeezed),
        instances,
    ]
    if batched:
        lines.append("dynamic_batching { }")
    if model.batching is not None and not batched:
        found = {BATCH_PARAMETER: str(model.batching.mode), REASON_PARAMETER: model.batching.reason}
        parameters = {**parameters, **found}
    for key, value in parameters.items():
        lines.append(f"parameters {{ key: {_quoted(key)} value {{ string_value: {_quoted(value)} }} }}")
    return "\n".join(lines) + "\n"


def _section(kind: str, tensors: Sequence[OnnxTensor], model: OnnxModel, squeezed: bool) -> list[str]:
    entries = []
    for tensor in tensors:
        own = tensor.shape[1:] if model.rows else tensor.shape
        # Where rows are instances and not joined, Triton has no batch dimension of its own, and the rows are ours.
        rows = (DYNAMIC,) if model.rows and not model.batched else ()
        # Triton does not take an empty shape: a bare column [N] is served as [N, 1]. Our own script turns one into the
        # other; for a backend of Triton's, Triton does.
        listed = ", ".join(map(str, (*rows, *(own or (1,)))))
        reshape = f" reshape {{ shape: [ {f'{DYNAMIC} ' if rows else ''}] }}" if squeezed and not own else ""
        entries.append(
            f"  {{ name: {_quoted(tensor.name)} data_type: {tensor.triton_type} dims: [ {listed} ]{reshape} }}"
        )
    return [f"{kind} [", ",\n".join(entries), "]"]


def _quoted(text: str) -> str:
    # The escapes that JSON uses for ASCII are those of the text format too.
    return json.dumps(text, ensure_ascii=False)
