"""A graph that hears its padding gets rows of one length; one that heeds its mask any."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from wherry.samples.tiny.parts import wordpiece
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.company import Company
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.embedding import EmbeddingOutput

TEXTS = ["the quick brown fox jumps", "hello", "my name is ada and i live in london what"]


class Spread(torch.nn.Module):
    """Each token's vector with the mean of all, padding among them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = torch.nn.Embedding(200, 8)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        words: torch.Tensor = self.words(input_ids)
        return words + words.mean(1, keepdim=True) + 0 * attention_mask[..., None]


@pytest.fixture
def spread(tmp_path: Path) -> Path:
    sample = torch.ones(2, 7, dtype=torch.int64)
    names = ["input_ids", "attention_mask"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own: it is old, and traces shapes
        torch.onnx.export(
            Spread(),
            (sample, sample),
            str(tmp_path / "model.onnx"),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={
                name: {0: "batch", 1: "tokens"} for name in (*names, "last_hidden_state")
            },
            dynamo=False,
        )
    wordpiece(max_length=32).save_pretrained(tmp_path)
    return tmp_path


def vectors(task: LocalTask, texts: list[str]) -> list[list[float]]:
    output = task.process(task.task.input.validated({"texts": texts}))
    assert isinstance(output, EmbeddingOutput)
    return output.embeddings


def test_rows_are_padded_only_where_that_moves_nothing(spread: Path, bert: Path) -> None:
    task = create_task("onnxruntime", "embedding", str(spread))
    assert task.backend.company.batching == "equal-length"
    assert task.backend.company.moved > 0.01
    for text, together in zip(TEXTS, vectors(task, TEXTS), strict=True):
        assert together == pytest.approx(vectors(task, [text])[0], abs=1e-5)
    heeds = create_task("onnxruntime", "embedding", str(bert))
    assert heeds.backend.company == Company()


def test_the_declaration_has_the_last_word(spread: Path, yolos: Path) -> None:
    task = create_task("onnxruntime", "embedding", str(spread), {"batching": "padded"})
    assert task.backend.company == Company("padded")
    assert vectors(task, TEXTS)[1] != pytest.approx(vectors(task, TEXTS[1:2])[0], abs=1e-3)
    with pytest.raises(ModelRefused, match="dialect 'transformers-yolos' pads no rows"):
        create_task("onnxruntime", "object-detection", str(yolos), {"batching": "padded"})
