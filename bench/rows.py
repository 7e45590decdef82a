"""The two models that runtimes are measured with, and rows for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wherry.tasks.base import TaskInput
from wherry.tasks.text.embedding import EmbeddingInput
from wherry.tasks.vision.image_classification import ImageClassificationInput

from . import vit

_PHOTOGRAPHS = 64

_WORDS = "a ferry crosses the river at noon and the pilot counts the lamps along the quay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurable:
    """A model, and how many of its rows take some seconds on a quiet core."""

    name: str
    task: str
    family: str
    build: Callable[[Path], None]
    rows: int


def save_encoder(folder: Path) -> None:
    """A BERT of MiniLM's size (hidden 384, 6 layers) with random weights."""
    import torch
    from transformers import BertConfig, BertModel

    from wherry.samples.tiny.parts import wordpiece

    torch.manual_seed(0)
    tokenizer = wordpiece(max_length=256)
    config = BertConfig(
        vocab_size=len(tokenizer),  # looked up, not computed with
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


MEASURABLE = (
    Measurable(
        name="vit", task="image-classification", family="vision", build=vit.save_model, rows=64
    ),
    Measurable(name="encoder", task="embedding", family="text", build=save_encoder, rows=96),
)


def rows_of(task: str, count: int) -> list[TaskInput]:
    """So many rows of a task: photographs, or sentences."""
    if task == "embedding":
        return [
            EmbeddingInput(texts=[f"{_WORDS} for the {number} time {_WORDS}"])
            for number in range(count)
        ]
    photographs = vit.photographs(min(count, _PHOTOGRAPHS))
    return [
        ImageClassificationInput(images=[photographs[number % len(photographs)]])
        for number in range(count)
    ]
