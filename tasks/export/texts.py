"""Models that read: input_ids and attention_mask (B, T)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from .graphs import Axes, Sample, Signature, write

TEXT_AXES: Axes = {0: "texts", 1: "tokens"}

_TEXTS = ("one", "two words", "and three words more")


def embedding(source: str, folder: Path) -> float:
    """last_hidden_state (B, T, D), which the backend pools."""
    model: Any = hf.AutoModel.from_pretrained(
        source, trust_remote_code=False, attn_implementation="eager"
    )
    tokenizer: Any = hf.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    for part in (model.config, tokenizer):
        part.save_pretrained(folder)
    sample = texts(tokenizer)
    signature = Signature(
        sample=sample,
        inputs=dict.fromkeys(sample(1), TEXT_AXES),
        outputs={"last_hidden_state": TEXT_AXES},
    )
    return write(folder / "model.onnx", model, signature)


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
