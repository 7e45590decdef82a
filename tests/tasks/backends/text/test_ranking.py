"""Batches against the model's own answer to one pair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.ranking import Ranked, RankingInput, RankingOutput

from ....support import tiny
from ....support.later import Later

library = Later("sentence_transformers")

TOLERANCE = 1e-3
QUERIES = ["what is the capital of france", "hello", "who"]
TEXTS = [
    ["the quick brown fox", "my name is ada " * 20, "a photo of a cat", "the red car"],
    ["hello world", "how are you"],
    [],
]

Made = Callable[[str], Path]


@pytest.fixture
def folder(tiny_model: Made) -> Path:
    return tiny_model("ranking")


@pytest.fixture
def task(folder: Path) -> LocalTask:
    return create_task("transformers", "ranking", str(folder))


def rank(task: LocalTask, **fields: Any) -> list[list[Ranked]]:
    output = task.process(RankingInput(queries=QUERIES, texts=TEXTS, **fields))
    assert isinstance(output, RankingOutput)
    return output.rankings


def test_batch_equals_the_models_own_single_answers(task: LocalTask, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def logit(query: str, text: str) -> torch.Tensor:
        with torch.inference_mode():
            tokens = tokenizer(query, text, truncation=True, return_tensors="pt")
            own: torch.Tensor = model(**tokens).logits[0, 0]
        return own

    raw = rank(task, raw_scores=True)
    for query, texts, ranked, scored in zip(QUERIES, TEXTS, raw, rank(task), strict=True):
        own = [logit(query, text) for text in texts]
        order = sorted(range(len(texts)), key=lambda i: -float(own[i]))
        assert [item.index for item in ranked] == [item.index for item in scored] == order
        assert [item.text for item in ranked] == [texts[i] for i in order]
        logits = [float(own[i]) for i in order]
        assert [item.score for item in ranked] == pytest.approx(logits, abs=TOLERANCE)
        scores = [float(own[i].sigmoid()) for i in order]
        assert [item.score for item in scored] == pytest.approx(scores, abs=TOLERANCE)
    assert raw[0][0].score - raw[0][-1].score > 10 * TOLERANCE  # texts do differ


def test_top_k_and_texts_left_out(task: LocalTask) -> None:
    whole, cut = rank(task), rank(task, top_k=1, return_text=False)
    assert [len(row) for row in cut] == [1, 1, 0]
    assert [cut[0][0].index, cut[0][0].text] == [whole[0][0].index, ""]


def test_a_model_of_several_labels_is_refused(tiny_model: Made) -> None:
    with pytest.raises(ValueError, match="one label"):
        create_task("transformers", "ranking", str(tiny_model("text-pairs")))


@pytest.mark.parametrize("length", [None, 12])
def test_a_cross_encoder_of_sentence_transformers(
    folder: Path, tmp_path: Path, length: int | None
) -> None:
    made = tmp_path / "cross"
    library.CrossEncoder(str(folder), device="cpu").save_pretrained(str(made))
    tiny.edit_json(made / "sentence_bert_config.json", max_seq_length=length)
    theirs = library.CrossEncoder(str(made), device="cpu")
    ranked = rank(create_task("transformers", "ranking", str(made)))
    for query, texts, own in zip(QUERIES[:2], TEXTS[:2], ranked[:2], strict=True):
        scores = theirs.predict([(query, text) for text in texts])
        assert [item.score for item in own] == pytest.approx(
            [float(scores[item.index]) for item in own], abs=TOLERANCE
        )
    assert theirs.max_seq_length == (length or 64)


def test_a_cross_encoder_of_another_activation_is_refused(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "cross"
    library.CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Tanh()).save_pretrained(
        str(made)
    )
    with pytest.raises(ModelRefused, match=r"activation\.Tanh is not served"):
        create_task("transformers", "ranking", str(made))


@pytest.mark.parametrize("modules", ["[]", '["Transformer"]', '[{"path": ""}]'])
def test_a_cross_encoder_of_a_broken_list_is_refused(
    folder: Path, tmp_path: Path, modules: str
) -> None:
    made = tmp_path / "cross"
    library.CrossEncoder(str(folder), device="cpu").save_pretrained(str(made))
    (made / "modules.json").write_text(modules)
    with pytest.raises(ModelRefused, match=r"modules\.json .*copy the whole folder"):
        create_task("transformers", "ranking", str(made))
