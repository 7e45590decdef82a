"""CLIP in two graphs, as transformers.js has it, against transformers' own pipeline."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from PIL import Image

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.onnx.files import main_graph, opened_with
from wherry.tasks.create import create_task

from ....support import tiny
from .towers import towers_of

TASK = "zero-shot-image-classification"
LABELS = ["red car", "cat", "hello the dog"]


@pytest.fixture(scope="module")
def source(tiny_model: Callable[[str], Path]) -> Path:
    return tiny_model(TASK)


@pytest.fixture(scope="module")
def towers(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return towers_of(
        source, tmp_path_factory.mktemp("clip") / "model", ("image_embeds", "text_embeds")
    )


@pytest.fixture(scope="module")
def pair(
    request: pytest.FixtureRequest,
    source: Path,
    towers: Path,
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    """A model and its two graphs: CLIP's, or SigLIP's, whose names for vectors are others."""
    if request.param == "clip":
        return source, towers
    siglip = tiny_model(f"{TASK}-siglip")
    folder = tmp_path_factory.mktemp("siglip") / "model"
    return siglip, towers_of(siglip, folder, ("pooler_output", "pooler_output"))


def test_two_graphs_answer_as_their_models_pipeline(source: Path, towers: Path) -> None:
    model = hf.AutoModel.from_pretrained(source)
    scale = model.logit_scale.exp().item()
    pictures = [tiny.encode(tiny.noise(40, 30)), tiny.encode(tiny.noise(25, 61))]
    expected = hf.pipeline(TASK, str(source), device="cpu")
    with create_task("onnxruntime", TASK, str(towers), {"logit_scale": scale}) as task:
        row = {"candidate_labels": LABELS, "hypothesis_template": "a {}"}
        together = task.process(task.task.input.validated({"images": pictures, **row}))
        for picture, found in zip(pictures, together.model_dump()["results"], strict=True):
            alone = task.process(task.task.input.validated({"images": [picture], **row}))
            told = expected(
                Image.open(io.BytesIO(picture)),
                candidate_labels=LABELS,
                hypothesis_template="a {}",
            )
            for answer in (found, alone.model_dump()["results"][0]):
                assert [one["label"] for one in answer] == [one["label"] for one in told]
                scores = [one["score"] for one in answer]
                assert scores == pytest.approx([one["score"] for one in told], abs=1e-3)


def test_both_graphs_are_found_and_the_scale_is_asked_for(towers: Path, tmp_path: Path) -> None:
    main = main_graph(towers)
    assert {path.name for path in opened_with(main)} == {"vision_model.onnx", "text_model.onnx"}
    with pytest.raises(ModelRefused, match="`logit_scale`, which is 100.0 for OpenAI's own"):
        create_task("onnxruntime", TASK, str(towers))
    half = Path(shutil.copytree(towers, tmp_path / "half"))
    (half / "onnx" / "text_model.onnx").unlink()
    with pytest.raises(ModelRefused, match="holds no text_model.onnx"):
        create_task("onnxruntime", TASK, str(half), {"logit_scale": 100.0})


def features(source: Path, pictures: list[bytes], texts: list[str]) -> tuple[Any, Any]:
    """transformers' get_image_features of each picture and get_text_features of each text."""
    model: Any = hf.AutoModel.from_pretrained(source).eval()
    processor: Any = hf.AutoImageProcessor.from_pretrained(source)
    tokenizer: Any = hf.AutoTokenizer.from_pretrained(source)
    siglip = "siglip" in model.config.model_type
    filled: Any = {}
    if siglip:  # whose own tokenizers make no mask, so that padding is read, too
        filled = {"padding": "max_length", "max_length": 64, "return_attention_mask": False}
    with torch.inference_mode():
        seen = [
            model.get_image_features(
                **processor(Image.open(io.BytesIO(picture)), return_tensors="pt")
            )
            for picture in pictures
        ]
        read = [
            model.get_text_features(**tokenizer(text, return_tensors="pt", **filled))
            for text in texts
        ]
    return seen, read


def unit(vector: Any) -> list[float]:
    scaled: list[float] = (vector / vector.norm()).tolist()
    return scaled


@pytest.mark.parametrize("pair", ["clip", "siglip"], indirect=True)
def test_two_graphs_make_the_models_features_of_images_and_texts(pair: tuple[Path, Path]) -> None:
    source, folder = pair
    pictures = [tiny.encode(tiny.noise(40, 30)), tiny.encode(tiny.noise(25, 61, seed=3))]
    texts = ["a red car", "hello the dog and a cat in london"]
    seen, read = features(source, pictures, texts)
    whole = [*(one.pooler_output[0] for one in seen), *(one.pooler_output[0] for one in read)]
    rows: dict[str, Any] = {"images": [*pictures, b"", b""], "texts": ["", "", *texts]}
    with create_task("onnxruntime", "multimodal-embedding", str(folder)) as task:
        plain: Any = task.process(task.task.input.validated({**rows, "normalize": False}))
        units: Any = task.process(task.task.input.validated(rows))
        alone: Any = task.process(task.task.input.validated({"texts": texts[:1]}))
    for found, to_unit, own in zip(plain.embeddings, units.embeddings, whole, strict=True):
        assert found == pytest.approx(own.tolist(), abs=1e-3)
        assert to_unit == pytest.approx(unit(own), abs=1e-3)
    assert alone.embeddings[0] == pytest.approx(units.embeddings[2], abs=1e-5)
    with create_task("onnxruntime", "embedding", str(folder)) as task:
        output: Any = task.process(task.task.input.validated({"texts": texts}))
    for found, own in zip(output.embeddings, whole[2:], strict=True):
        assert found == pytest.approx(unit(own), abs=1e-3)
    with create_task("onnxruntime", "image-feature-extraction", str(folder)) as task:
        output = task.process(task.task.input.validated({"images": pictures, "pool": True}))
        first: Any = task.process(task.task.input.validated({"images": pictures}))
    for found, own in zip(output.embeddings, whole[:2], strict=True):
        assert found == pytest.approx(own.tolist(), abs=1e-3)
    if "siglip" in folder.parent.name:  # whose vectors have no first token that stands for all
        for found, own in zip(first.embeddings, seen, strict=True):
            assert found == pytest.approx(own.last_hidden_state[0].mean(0).tolist(), abs=1e-3)
    else:
        assert "row 1: pool: the graph gives its pooled output alone" in first.warning
        assert first.embeddings == output.embeddings


def test_a_half_of_other_names_is_refused_by_name(towers: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(towers, tmp_path / "model"))
    shutil.copy(folder / "onnx" / "vision_model.onnx", folder / "onnx" / "text_model.onnx")
    with pytest.raises(
        ModelRefused, match="pixel_values -> image_embeds; expected is input_ids -> text_embeds or"
    ):
        create_task("onnxruntime", "multimodal-embedding", str(folder))
