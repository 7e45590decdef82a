from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training.clip import KINDS, SENTENCES, build, tokenizer, train, truth

from wherry.samples.shapes_data import Drawn
from wherry.tasks.create import create_task

BOX = (10, 10, 30, 30)


def test_a_shape_has_one_true_label_of_each_kind() -> None:
    drawn = [Drawn(2, BOX, "green"), Drawn(0, BOX, "red")]
    told = [[kind[n] for n in truth(drawn, kind).tolist()] for kind in KINDS]
    assert told == [["green triangle", "red circle"], ["triangle", "circle"], ["green", "red"]]


def test_sentences_fit_and_are_told_apart_whatever_their_case() -> None:
    words = tokenizer()
    said = [sentence.format(label) for sentence in SENTENCES for kind in KINDS for label in kind]
    tokens = [tuple(words(one)["input_ids"]) for one in said]
    assert len(set(tokens)) == len(said)
    assert max(map(len, tokens)) <= words.model_max_length
    assert {one[0] for one in tokens} == {words.bos_token_id}
    assert {one[-1] for one in tokens} == {words.eos_token_id}
    assert words("A Red CIRCLE")["input_ids"] == words("a red circle")["input_ids"]


@torch.inference_mode()
def test_a_sentence_is_read_to_its_end() -> None:
    # transformers reads a text at its highest id if the end's is 2: at its colour, or its shape.
    torch.manual_seed(0)
    words = tokenizer()
    read = words([f"a {label}" for label in KINDS[0]], padding=True, return_tensors="pt")
    model: Any = build(len(words)).eval()  # its signatures tell too little
    vectors = model.get_text_features(**read).pooler_output
    near = torch.cdist(vectors, vectors) + 1e3 * torch.eye(len(vectors))
    assert near.min() > 1e-4


@pytest.mark.parametrize("text", ["a dog", "Zürich 🚢"])
def test_any_text_has_tokens(text: str) -> None:
    words = tokenizer()
    assert words.decode(words(text)["input_ids"], skip_special_tokens=True).strip() == text.lower()


@pytest.mark.slow
def test_it_trains_and_both_backends_read_the_folder(tmp_path: Path) -> None:
    assert 0 <= train(tmp_path, steps=2) < 0.5  # nothing is learnt by then
    for backend in ("transformers", "onnxruntime"):
        with create_task(backend, "zero-shot-image-classification", str(tmp_path)) as task:
            assert len(task.backend.run([task.backend.example()])) == 1
