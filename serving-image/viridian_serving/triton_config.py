"""Writes Triton's model configuration (config.pbtxt) for an ONNX model behind the python backend."""

import json
from collections.abc import Mapping, Sequence

from viridian_serving.onnx_model import OnnxModel, OnnxTensor

MAX_BATCH = 128
"""Instances in one call. Larger ones gain nothing and hold up whoever comes next."""


def config_pbtxt(name: str, model: OnnxModel, parameters: Mapping[str, str]) -> str:
    """Write the configuration.

    A model with an open first dimension is batched, by our API and once more by Triton for those who speak its
    protocol directly. No queue policy is set: with one instance, Triton 2.51 then stalls every request for half a
    second.

    Args:
        name: The model's name at Triton.
        model: What the ONNX file declares.
        parameters: Handed to ``triton_model.py``.

    Returns:
        Text for config.pbtxt.
    """
    batched = model.batched
    lines = [
        f"name: {_quoted(name)}",
        'backend: "python"',
        f"max_batch_size: {MAX_BATCH if batched else 0}",
        *_section("input", model.inputs, batched),
        *_section("output", model.outputs, batched),
        "instance_group [ { count: 1 kind: KIND_CPU } ]",
    ]
    if batched:
        lines.append("dynamic_batching { }")
    for key, value in parameters.items():
        lines.append(f"parameters {{ key: {_quoted(key)} value {{ string_value: {_quoted(value)} }} }}")
    return "\n".join(lines) + "\n"


def _section(kind: str, tensors: Sequence[OnnxTensor], batched: bool) -> list[str]:
    lines = [f"{kind} ["]
    entries = []
    for tensor in tensors:
        # Triton does not take an empty shape: a bare column [N] is served as [N, 1].
        dims = (tensor.shape[1:] if batched else tensor.shape) or (1,)
        listed = ", ".join(str(dim) for dim in dims)
        entries.append(f"  {{ name: {_quoted(tensor.name)} data_type: {tensor.triton_type} dims: [ {listed} ] }}")
    lines.append(",\n".join(entries))
    lines.append("]")
    return lines


def _quoted(text: str) -> str:
    # The escapes that JSON uses for ASCII are those of the text format too.
    return json.dumps(text, ensure_ascii=False)
