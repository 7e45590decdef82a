"""Models that read: input_ids and attention_mask (B, T)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from ..backends.pool import POOLING_FILE
from ..backends.transformers.reading import pooling_config
from .graphs import LOADING, Axes, Sample, Signature, write

TEXT_AXES: Axes = {0: "texts", 1: "tokens"}

_TEXTS = ("one", "two words", "and three words more")


def embedding(source: str, folder: Path) -> float:
    """Dialect last-hidden-state, with what sentence-transformers says of pooling."""
    if told := pooling_config(source):
        file = folder / POOLING_FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(told))
    return _export(source, folder, hf.AutoModel, {"last_hidden_state": TEXT_AXES})


def text_classification(source: str, folder: Path) -> float:
    """Dialect text-logits."""
    return _export(source, folder, hf.AutoModelForSequenceClassification, {"logits": {0: "texts"}})


def token_classification(source: str, folder: Path) -> float:
    """Dialect token-logits."""
    return _export(source, folder, hf.AutoModelForTokenClassification, {"logits": TEXT_AXES})


def _export(source: str, folder: Path, auto: Any, outputs: Mapping[str, Axes]) -> float:
    model: Any = auto.from_pretrained(source, **LOADING)
    tokenizer: Any = hf.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
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
