"""Both backends against the model's own answer, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.embedding import EmbeddingInput, EmbeddingOutput

from ....support import tiny
from .. import mixed

TOLERANCE = 1e-4
BACKENDS = ("transformers", "onnxruntime")
TEXTS = ["the quick brown fox", "hello", "", "lazy dog " * 30, "héllo wörld ☂"]


def own_vector(folder: Path, text: str) -> NDArray[np.float32]:
    """The model's own answer: one text, no padding, the mean of its tokens."""
    tokens = AutoTokenizer.from_pretrained(folder)(text, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    vector: NDArray[np.float32] = hidden[0].mean(0).numpy()
    return vector


def embed(task: LocalTask, texts: list[str], *, normalize: bool = False) -> list[list[float]]:
    output = task.process(EmbeddingInput(texts=texts, normalize=normalize))
    assert isinstance(output, EmbeddingOutput)
    return output.embeddings


@pytest.mark.parametrize("backend", BACKENDS)
def test_batch_equals_the_models_own_single_answers(backend: str, bert: Path) -> None:
    together = embed(create_task(backend, "embedding", str(bert)), TEXTS)
    for vector, text in zip(together, TEXTS, strict=True):
        assert vector == pytest.approx(own_vector(bert, text), abs=TOLERANCE)


@pytest.mark.parametrize("backend", BACKENDS)
def test_length_one_by_default(backend: str, bert: Path) -> None:
    task = create_task(backend, "embedding", str(bert))
    (unit,), (plain,) = embed(task, TEXTS[:1], normalize=True), embed(task, TEXTS[:1])
    assert np.linalg.norm(unit) == pytest.approx(1, abs=1e-5)
    assert np.array(plain) / np.linalg.norm(plain) == pytest.approx(np.array(unit), abs=1e-5)


def test_a_graph_that_pools_by_itself_is_believed(tmp_path: Path) -> None:
    folder = tiny.bert(tmp_path / "pooled", pooled=True)
    (vector,) = embed(create_task("onnxruntime", "embedding", str(folder)), TEXTS[:1])
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS[0], return_tensors="pt")
    with torch.inference_mode():
        first = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0, 0]
    assert vector == pytest.approx(first.numpy(), abs=TOLERANCE)


def test_a_folder_without_tokenizer(bert: Path, tmp_path: Path) -> None:
    for name in ("model.onnx", "config.json"):
        (tmp_path / name).write_bytes((bert / name).read_bytes())
    with pytest.raises(ModelRefused, match=r"no tokenizer\.json"):
        create_task("onnxruntime", "embedding", str(tmp_path))


@pytest.mark.parametrize("kind", mixed.TEXT_ENCODERS)
def test_an_encoder_that_stands_alone_makes_the_vectors(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = mixed.rewriter(kind, tmp_path)
    encoder = AutoModelForSeq2SeqLM.from_pretrained(folder).eval().get_encoder()
    with create_task("transformers", "embedding", str(folder)) as task:
        together = embed(task, TEXTS)
    for vector, text in zip(together, TEXTS, strict=True):
        tokens = AutoTokenizer.from_pretrained(folder)(
            text, truncation=True, return_tensors="pt", return_token_type_ids=False
        )
        with torch.inference_mode():
            own = encoder(**tokens).last_hidden_state[0].mean(0).numpy()
        assert vector == pytest.approx(own, abs=TOLERANCE)


@pytest.mark.parametrize("task", ["embedding", "feature-extraction", "sentence-similarity"])
def test_a_model_that_makes_no_vectors_of_texts_is_refused_in_a_line(
    task: str, tiny_model: Callable[[str], Path]
) -> None:
    folder = tiny_model("automatic-speech-recognition")
    with pytest.raises(ModelRefused, match="type whisper makes no vectors of texts alone") as told:
        create_task("transformers", task, str(folder))
    assert "\n" not in str(told.value)
