"""Batches against the pipeline of transformers, row by row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from transformers import pipeline

from wherry.samples.tiny.parts import loud, save
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.text.fill_mask import Filling, FillMaskInput, FillMaskOutput

TOLERANCE = 1e-3
TEXTS = [
    "the quick [MASK] fox",
    "[MASK]",
    "hello world how are you, what is the [MASK] of france",
    "my [MASK] is ada and i [MASK] in london",
]

Made = Callable[[str], Path]


@pytest.fixture
def folder(tiny_model: Made) -> Path:
    return tiny_model("fill-mask")


@pytest.fixture
def graphs(tiny_graph: Callable[[str, str], Path]) -> Path:
    return tiny_graph("fill-mask", "fill-mask")


@pytest.fixture(params=["transformers", "onnxruntime"])
def task(folder: Path, graphs: Path, request: pytest.FixtureRequest) -> LocalTask:
    source = folder if request.param == "transformers" else graphs
    return create_task(request.param, "fill-mask", str(source))


def fill(task: LocalTask, texts: list[str], **fields: Any) -> list[list[Filling]]:
    output = task.process(FillMaskInput(texts=texts, **fields))
    assert isinstance(output, FillMaskOutput)
    return output.fillings


def own_fillings(folder: Path, text: str, **options: Any) -> list[dict[str, Any]]:
    """The pipeline's answer to one text; those of several masks one after the other."""
    found: Any = pipeline("fill-mask", model=str(folder))(text, **options)
    return found if isinstance(found[0], dict) else [item for mask in found for item in mask]


@pytest.mark.parametrize(
    "fields", [{}, {"top_k": 2}, {"targets": ["fox", "cat", "name"]}, {"targets": ["foxes"]}]
)
def test_batch_equals_the_pipelines_single_answers(
    task: LocalTask, folder: Path, fields: dict[str, Any]
) -> None:
    together = fill(task, TEXTS, **fields)
    for found, text in zip(together, TEXTS, strict=True):
        own = own_fillings(folder, text, **fields)
        assert [item.score for item in found] == pytest.approx(
            [item["score"] for item in own], abs=TOLERANCE
        )
        for item, expected in zip(found, own, strict=True):
            expected.pop("score")
            assert item.model_dump(exclude={"score"}) == expected
    assert together[0] != together[1]
    assert len(together[3]) == 2 * len(together[0])  # two masks


def test_a_model_that_answers_for_more_places_than_a_text_has(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = hf.PerceiverTokenizer(model_max_length=80)
    config = hf.PerceiverConfig(
        d_model=32,
        d_latents=32,
        num_latents=8,
        num_self_attends_per_block=1,
        num_self_attention_heads=2,
        num_cross_attention_heads=2,
        qk_channels=32,
        v_channels=32,
        vocab_size=tokenizer.vocab_size,
        max_position_embeddings=80,
    )
    save(tmp_path, loud(hf.PerceiverForMaskedLM(config), "perceiver", "embedding"), tokenizer)
    with create_task("transformers", "fill-mask", str(tmp_path)) as task:
        together = fill(task, TEXTS, top_k=2)
        assert [fill(task, [text], top_k=2)[0] for text in TEXTS] == together
    model = hf.PerceiverForMaskedLM.from_pretrained(tmp_path).eval()
    for found, text in zip(together, TEXTS, strict=True):
        # As on the page of the class: padded to the model's length, its own mask with it.
        own = tokenizer(text, padding="max_length", return_tensors="pt")
        at = (own["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
        with torch.inference_mode():
            logits = model(inputs=own["input_ids"], attention_mask=own["attention_mask"]).logits
        best = logits[0, at].softmax(-1).topk(2).values.flatten()
        assert [item.score for item in found] == pytest.approx(best.tolist(), abs=TOLERANCE)
