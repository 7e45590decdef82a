"""Models that read: input_ids and attention_mask (B, T)."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..backends.text.sentences import sentence_files
from ..backends.transformers.text.encoder import load_encoder
from ..backends.transformers.tokenizer import load_tokenizer
from ..backends.transformers.whole import POOLER, find_file, load_whole
from .graphs import LOADING, Axes, Sample, Signature, write

TEXT_AXES: Axes = {0: "texts", 1: "tokens"}

_TEXTS = ("one", "two words", "and three words more")


def embedding(source: str, folder: Path) -> float:
    """Dialect last-hidden-state, with what sentence-transformers says becomes of it."""
    find = partial(find_file, source)
    for name in sentence_files(find, source):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(str(find(name)), folder / name)
    return _export(source, folder, load_encoder, {"last_hidden_state": TEXT_AXES})


def text_classification(source: str, folder: Path) -> float:
    """Dialect text-logits."""
    load = partial(load_whole, "AutoModelForSequenceClassification")
    return _export(source, folder, load, {"logits": {0: "texts"}})


def token_classification(source: str, folder: Path) -> float:
    """Dialect token-logits."""
    load = partial(load_whole, "AutoModelForTokenClassification", unread=(POOLER,))
    return _export(source, folder, load, {"logits": TEXT_AXES})


def fill_mask(source: str, folder: Path) -> float:
    """Dialect vocabulary-logits."""
    load = partial(load_whole, "AutoModelForMaskedLM", unread=(POOLER,))
    return _export(source, folder, load, {"logits": TEXT_AXES})


def question_answering(source: str, folder: Path) -> float:
    """Dialect span-logits."""
    load = partial(load_whole, "AutoModelForQuestionAnswering", unread=(POOLER,))
    return _export(source, folder, load, {"start_logits": TEXT_AXES, "end_logits": TEXT_AXES})


def _export(
    source: str,
    folder: Path,
    load: Callable[..., tuple[Any, list[str]]],
    outputs: Mapping[str, Axes],
) -> float:
    model, _ = load(source, **LOADING)
    tokenizer = load_tokenizer(source, config=model.config)
    for part in (model.config, tokenizer):
        part.save_pretrained(folder)
    sample = texts(tokenizer)
    takes = inspect.signature(model.forward).parameters
    inputs = {name: TEXT_AXES for name in sample(1) if name in takes}
    return write(
        folder / "model.onnx", model, Signature(sample=sample, inputs=inputs, outputs=outputs)
    )


def texts(tokenizer: Any, *, length: int | None = None) -> Sample:
    """Texts as a tokenizer makes them, padded to the longest or to a length."""

    def sample(rows: int) -> dict[str, torch.Tensor]:
        padding = "longest" if length is None else "max_length"
        chosen = [_TEXTS[(rows + i) % len(_TEXTS)] for i in range(rows)]
        return dict(
            tokenizer(
                chosen, padding=padding, max_length=length, truncation=True, return_tensors="pt"
            )
        )

    return sample
