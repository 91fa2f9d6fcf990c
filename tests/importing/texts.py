"""Transformers, and texts for them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_WORDS = ("good", "bad", "fine", "awful", "the", "a", "food", "service", "was", "very", "in", "graz", "anna", "lives")


def transformer(folder: Path, kind: str, **options: Any) -> Path:
    """A transformer with random weights, and a tokenizer of a few words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: number for number, word in enumerate([*special, *_WORDS, "##s"])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=special[1]))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **names)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), max_position_embeddings=64, **sizes, **({"num_labels": 3} | options)
    )
    getattr(transformers, kind)(config).eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sample(file: Path, texts: Sequence[str]) -> Path:
    """A table with a column of texts."""
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([["text"], *([text] for text in texts)])
    return file
