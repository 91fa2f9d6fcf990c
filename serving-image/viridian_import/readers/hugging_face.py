"""Folders of Hugging Face: a transformer's weights and configuration, and its tokenizer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from viridian_import.convert.transformer import Head, Recipe, Task, write
from viridian_import.faults import ImportFault
from viridian_import.messages import Description, Layout, Load, Output, Plan, Role
from viridian_import.readers.versions import versions_of
from viridian_serving.codec.tensors import Kind

if TYPE_CHECKING:
    import pandas as pd

_LONGEST: Final = 512
"""Tokens of a text, where neither the model nor its tokenizer says."""
_NO_LIMIT: Final = 1_000_000
"""Tokenizers without a limit have a number far above this one."""
_TASKS: Final = {
    "ForSequenceClassification": (Task.CLASSIFIES, "AutoModelForSequenceClassification"),
    "ForTokenClassification": (Task.TAGS, "AutoModelForTokenClassification"),
    "ForMaskedLM": (Task.FILLS, "AutoModelForMaskedLM"),
    "Model": (Task.EMBEDS, "AutoModel"),
}
"""By how an architecture's name ends."""
_OUTPUTS: Final = {
    Task.CLASSIFIES: (Output("label", Role.LABEL, "logits"), Output("probabilities", Role.PROBABILITIES, "logits")),
    Task.SCORES: (Output("prediction", Role.NUMBERS, "logits"),),
    Task.TAGS: (
        Output("labels", Role.LABEL, "logits"),
        Output("scores", Role.NUMBERS, "logits"),
        Output("spans", Role.NUMBERS, "tokenizer"),
    ),
    Task.FILLS: (
        Output("token", Role.LABEL, "logits"),
        Output("tokens", Role.LABEL, "logits"),
        Output("scores", Role.NUMBERS, "logits"),
    ),
    Task.EMBEDS: (Output("embedding", Role.NUMBERS, "last_hidden_state"),),
}


@dataclass(frozen=True)
class _Transformer:
    recipe: Recipe
    tokenizer: Any
    description: Description

    def answer(self, frame: "pd.DataFrame") -> dict[str, list[Any]]:
        """Answer rows; see Original. Each text has its own call, so that none is padded."""
        answered = [self._one(text) for text in frame.iloc[:, 0].tolist()]
        return {output.name: [row[output.name] for row in answered] for output in self.description.outputs}

    def _one(self, text: object) -> dict[str, Any]:
        import torch

        if not isinstance(text, str):
            raise TypeError("there is no text")
        recipe = self.recipe
        encoded = self.tokenizer(
            text, truncation=True, max_length=recipe.longest, return_offsets_mapping=True, return_tensors="pt"
        )
        if recipe.task is Task.FILLS and int((encoded["input_ids"] == recipe.mask).sum()) != 1:
            raise ValueError(f"the text has not exactly one {recipe.mask_token}")
        given = [encoded["input_ids"], encoded["attention_mask"]]
        given += [encoded["offset_mapping"]] if recipe.task is Task.TAGS else []
        with torch.no_grad():
            made = recipe.head(*given)
        values = [made] if recipe.task in (Task.SCORES, Task.EMBEDS) else list(made)
        return recipe.named([value[0].tolist() for value in values])

    def convert(self, plan: Plan, kinds: Mapping[str, Kind], row: "pd.DataFrame", file: str) -> None:
        """Write it as ONNX, with preprocess.py and the tokenizer; see Original."""
        if plan.double or plan.integers:
            raise ImportFault("transformers are converted to float32 only")
        del row
        (name,) = kinds
        write(self.recipe, self.tokenizer.backend_tokenizer, name, Path(file))

    def explain(self, frame: "pd.DataFrame") -> list[str]:
        """Say why rows may be answered otherwise: nothing is known; see Original."""
        del frame
        return []


def read(request: Load) -> _Transformer:
    """Load such a folder; see reading.read()."""
    import torch
    import transformers

    folder = Path(request.path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    task, loader = _task(folder, config)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    model = getattr(transformers, loader).from_pretrained(
        folder, local_files_only=True, attn_implementation="eager", dtype=torch.float32
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True)
    if not getattr(tokenizer, "is_fast", False):
        raise ImportFault(
            f"{folder} has no tokenizer.json, and its tokenizer cannot be made into one; save it with a fast "
            "tokenizer of transformers: AutoTokenizer.from_pretrained(name, use_fast=True).save_pretrained(folder)"
        )
    if task is Task.CLASSIFIES and model.config.num_labels == 1:
        task = Task.SCORES
    recipe = _recipe(folder, task, model.eval(), tokenizer)
    return _Transformer(recipe, tokenizer, _description(recipe, model))


def _task(folder: Path, config: Mapping[str, Any]) -> tuple[Task, str]:
    named = [str(name) for name in config.get("architectures") or ()]
    if config.get("auto_map"):
        raise ImportFault(
            f"{folder} brings its own Python code for its architecture (auto_map in config.json), which is not "
            "run; export it to ONNX yourself, and give that file to viridian import"
        )
    # Names such as GPT2LMHeadModel are of models with a head of another kind.
    bare = [name for name in named if "Head" not in name]
    found = next((task for name in bare for end, task in _TASKS.items() if name.endswith(end)), None)
    if found is None or config.get("is_encoder_decoder"):
        raise ImportFault(
            f"{folder} is a {', '.join(named) or 'model that names no architecture'}; what is imported are sequence "
            "and token classification, fill-mask, and embeddings (…ForSequenceClassification, "
            "…ForTokenClassification, …ForMaskedLM, …Model). Models that write text are for their own server, "
            "such as vLLM"
        )
    return found


def _recipe(folder: Path, task: Task, model: Any, tokenizer: Any) -> Recipe:  # noqa: ANN401
    config = model.config
    labels = [str(config.id2label[i]) for i in range(config.num_labels)] if task in (Task.CLASSIFIES, Task.TAGS) else []
    if task is Task.FILLS:
        labels = tokenizer.convert_ids_to_tokens(list(range(config.vocab_size)))
    head = Head(
        task,
        model,
        several=config.problem_type == "multi_label_classification",
        **_pooled(folder, task),
        mask=tokenizer.mask_token_id,
    )
    return Recipe(
        task=task,
        head=head.eval(),
        labels=tuple(label or "" for label in labels),
        longest=_longest(config, tokenizer),
        pad=tokenizer.pad_token_id,
        pad_token=tokenizer.pad_token,
        mask=tokenizer.mask_token_id,
        mask_token=tokenizer.mask_token,
    )


def _longest(config: Any, tokenizer: Any) -> int:  # noqa: ANN401
    positions = getattr(config, "max_position_embeddings", None)
    if positions and "roberta" in config.model_type:
        positions -= (config.pad_token_id or 0) + 1  # theirs begin after the padding's
    limits = [limit for limit in (positions, tokenizer.model_max_length) if limit and 0 < limit < _NO_LIMIT]
    return int(min(limits, default=_LONGEST))


def _pooled(folder: Path, task: Task) -> dict[str, bool]:
    """How sentence-transformers makes one embedding of those of all tokens: their mean, where it does not say."""
    file = folder / "1_Pooling" / "config.json"
    if task is not Task.EMBEDS or not file.is_file():
        return {"first": False, "normalized": False}
    pooling = {name for name, value in json.loads(file.read_text(encoding="utf-8")).items() if value is True}
    modes = {name for name in pooling if name.startswith("pooling_mode_")}
    if modes not in ({"pooling_mode_cls_token"}, {"pooling_mode_mean_tokens"}):
        raise ImportFault(
            f"{file} says {', '.join(sorted(modes))}; what is imported is the mean of the tokens, or the first one"
        )
    modules = (folder / "modules.json").read_text(encoding="utf-8") if (folder / "modules.json").is_file() else ""
    return {"first": modes == {"pooling_mode_cls_token"}, "normalized": "Normalize" in modules}


def _description(recipe: Recipe, model: Any) -> Description:  # noqa: ANN401
    notices = [
        f"texts are cut after {recipe.longest} tokens",
        f"numbers of weights: {sum(each.numel() for each in model.parameters()):,}",
    ]
    return Description(
        model=f"{type(model).__name__} (transformer, {model.config.model_type})",
        task=recipe.task.value,
        outputs=list(_OUTPUTS[recipe.task]),
        versions=versions_of(["transformers", "torch", "tokenizers"]),
        layouts=[Layout.COLUMNS],
        network="",
        classes=list(recipe.labels) if recipe.task is Task.CLASSIFIES else None,
        width=1,
        preprocessed=True,
        notices=notices,
    )
