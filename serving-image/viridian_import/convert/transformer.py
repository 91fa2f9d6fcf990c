"""Transformers, by torch's own exporter: the model with its head, and preprocess.py with its tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from viridian_import.convert.failures import said
from viridian_import.convert.graph import with_outputs
from viridian_import.faults import ImportFault

_OPSET: Final = 18
_CANDIDATES: Final = 5
"""Tokens that are proposed for a mask."""
_TOKENIZER: Final = "tokenizer.json"


class Task(StrEnum):
    """What a transformer does with a text."""

    CLASSIFIES = "text classifier"
    SCORES = "text scorer"
    TAGS = "token classifier"
    FILLS = "mask filler"
    EMBEDS = "text embedder"


class Head(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
    """A transformer, and what people want to have of its numbers."""

    def __init__(
        self,
        task: Task,
        model: Any,  # noqa: ANN401
        *,
        several: bool,
        first: bool,
        normalized: bool,
        mask: int | None,
    ) -> None:
        """Prepare.

        Args:
            task: What it does.
            model: Of transformers.
            several: Whether a text may be of several classes: each has its own probability.
            first: Whether the embedding is that of the first token; else it is the mean of all.
            normalized: Whether embeddings have the length 1.
            mask: Token that is filled in.
        """
        super().__init__()
        self._task, self._model = task, model
        self._several, self._first, self._normalized, self._mask = several, first, normalized, mask

    def forward(self, input_ids: Any, attention_mask: Any, offsets: Any = None) -> Any:  # noqa: ANN401
        """Return the outputs of the task, with numbers in place of labels and tokens."""
        made = self._model(input_ids=input_ids, attention_mask=attention_mask)
        if self._task is Task.EMBEDS:
            return self._embedding(made.last_hidden_state, attention_mask)
        logits = made.logits
        if self._task is Task.SCORES:
            return logits
        if self._task is Task.CLASSIFIES:
            chances = torch.sigmoid(logits) if self._several else torch.softmax(logits, -1)
            return logits.argmax(-1), chances
        if self._task is Task.TAGS:
            return logits.argmax(-1), torch.softmax(logits, -1).amax(-1), offsets + 0
        place = (input_ids == self._mask).to(torch.int64).argmax(1)
        row = torch.gather(logits, 1, place[:, None, None].expand(-1, 1, logits.shape[-1]))[:, 0]
        scores, tokens = torch.softmax(row, -1).topk(_CANDIDATES)
        return tokens[:, 0], tokens, scores

    def _embedding(self, hidden: Any, attention_mask: Any) -> Any:  # noqa: ANN401
        if self._first:
            made = hidden[:, 0]
        else:
            weights = attention_mask[:, :, None].to(hidden.dtype)
            made = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(made, dim=-1) if self._normalized else made


@dataclass(frozen=True)
class Recipe:
    """All that is needed to convert a transformer."""

    task: Task
    head: Head
    labels: Sequence[str]
    """Names of the classes; of a mask filler, its vocabulary."""
    longest: int
    """Tokens after which a text is cut."""
    pad: int | None
    """Token that fills up texts; None where there is none."""
    pad_token: str | None
    mask: int | None
    mask_token: str | None

    @property
    def inputs(self) -> list[str]:
        """Names of the ONNX model's inputs."""
        return ["input_ids", "attention_mask", *(["offsets"] if self.task is Task.TAGS else [])]

    @property
    def outputs(self) -> list[tuple[str, bool]]:
        """Names of the outputs, and whether each is of labels."""
        return {
            Task.CLASSIFIES: [("label", True), ("probabilities", False)],
            Task.SCORES: [("prediction", False)],
            Task.TAGS: [("labels", True), ("scores", False), ("spans", False)],
            Task.FILLS: [("token", True), ("tokens", True), ("scores", False)],
            Task.EMBEDS: [("embedding", False)],
        }[self.task]

    def named(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the outputs of one text by their names, with labels in place of numbers."""
        named = {}
        for (name, labels), value in zip(self.outputs, values, strict=True):
            plain = value[0] if self.task is Task.SCORES else value
            named[name] = self._labelled(plain) if labels else plain
        return named

    def _labelled(self, value: Any) -> Any:  # noqa: ANN401
        return [self.labels[each] for each in value] if isinstance(value, list) else self.labels[value]


def write(recipe: Recipe, tokenizer: Any, feature: str, file: Path) -> None:  # noqa: ANN401
    """Write the ONNX file, and beside it preprocess.py and the tokenizer.

    Args:
        recipe: How.
        tokenizer: Of the library tokenizers.
        feature: Name of the text.
        file: The ONNX file.

    Raises:
        ImportFault: The exporter fails.
    """
    ids = torch.ones((2, 8), dtype=torch.int64)
    if recipe.mask is not None:
        ids[:, 2] = recipe.mask
    given = [ids, torch.ones_like(ids), torch.zeros((2, 8, 2), dtype=torch.int64)][: len(recipe.inputs)]
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", min=2, max=recipe.longest)
    try:
        torch.onnx.export(
            recipe.head,
            tuple(given),
            str(file),
            input_names=recipe.inputs,
            output_names=[f"viridian_{name}" for name, _ in recipe.outputs],
            dynamic_shapes=tuple({0: rows, 1: tokens} for _ in given),
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except Exception as error:  # what exporters raise has no common base
        raise ImportFault(
            f"the model cannot be exported by torch {torch.__version__} ({said(error)}); install newer versions of "
            "torch, onnxscript and transformers, or export it with optimum and import that ONNX file"
        ) from error
    model = with_outputs(_labelled(onnx.load(str(file)), recipe), [name for name, _ in recipe.outputs])
    onnx.save(model, str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(str(file.with_name(_TOKENIZER)))
    file.with_name("preprocess.py").write_text(_preprocess(recipe, feature), encoding="utf-8")


def _labelled(model: onnx.ModelProto, recipe: Recipe) -> onnx.ModelProto:
    """Put labels in the place of their numbers."""
    graph = model.graph
    if any(labels for _, labels in recipe.outputs):
        words = np.array([label.encode() for label in recipe.labels], dtype=object)
        graph.initializer.append(numpy_helper.from_array(words, "viridian_words"))
    for output, (name, labels) in zip(list(graph.output), recipe.outputs, strict=True):
        if labels:
            made = f"viridian_{name}_of"
            graph.node.append(helper.make_node("Gather", ["viridian_words", output.name], [made]))
            output.name = made
            output.type.tensor_type.elem_type = TensorProto.STRING
    return model


def _preprocess(recipe: Recipe, feature: str) -> str:
    padded = recipe.task is not Task.TAGS and recipe.pad is not None
    lines = [_HEAD.format(tokenizer=_TOKENIZER, longest=recipe.longest)]
    if padded:
        lines.append(_PADDING.format(pad=recipe.pad, pad_token=recipe.pad_token))
    lines.append(_FUNCTION.format(feature=feature))
    if recipe.task is Task.FILLS:
        lines.append(_ONE_MASK.format(feature=feature, mask=recipe.mask, mask_token=recipe.mask_token))
    offsets = ', "offsets": encoded.offsets' if recipe.task is Task.TAGS else ""
    lines.append(_RETURN.format(offsets=offsets))
    return "".join(lines)


_HEAD = '''"""Makes the model's inputs of a text, with the model's own tokenizer. Written by viridian import."""

from pathlib import Path

from tokenizers import Tokenizer

TOKENIZER = Tokenizer.from_file(str(Path(__file__).with_name("{tokenizer}")))
TOKENIZER.enable_truncation({longest})
'''
_PADDING = """\
# Texts of about the same length are answered in one call, as they are filled up to the same length.
TOKENIZER.enable_padding(pad_id={pad}, pad_token={pad_token!r}, pad_to_multiple_of=8)
"""
_FUNCTION = '''

def preprocess(instance):
    """Return the tokens of a text."""
    encoded = TOKENIZER.encode(instance[{feature!r}])
'''
_ONE_MASK = """\
    if encoded.ids.count({mask}) != 1:
        raise ValueError({feature!r}, "must have exactly one {mask_token}")
"""
_RETURN = """\
    return {{"input_ids": encoded.ids, "attention_mask": encoded.attention_mask{offsets}}}
"""
