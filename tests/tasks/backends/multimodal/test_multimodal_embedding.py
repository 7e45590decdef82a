"""Images and texts in one space against transformers' documented calls, row by row."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

from wherry.protocol.errors import InvalidRequest, RowError
from wherry.samples.shapes_data import draw
from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.base import TaskOutput
from wherry.tasks.create import create_task
from wherry.tasks.locate import locate
from wherry.tasks.multimodal.multimodal_embedding import (
    MultimodalEmbeddingInput,
    MultimodalEmbeddingOutput,
)

from ....support import tiny

Models = Callable[[str], Path]

NAME = "multimodal-embedding"
TOLERANCE = 1e-5
MODELS = (
    (NAME, {"padding": True}),
    ("zero-shot-image-classification-siglip", {"padding": "max_length", "max_length": 64}),
)
TEXTS = ["a cat", "the quick brown fox over a lazy dog", "a cat", "red car"]


def vectors(answers: Sequence[TaskOutput | RowError]) -> list[list[float]]:
    found = []
    for answer in answers:
        assert isinstance(answer, MultimodalEmbeddingOutput), answer
        found += answer.embeddings
    return found


@torch.inference_mode()
def documented(folder: str, images: Sequence[bytes], texts: Sequence[str], **padding: Any) -> Any:
    """What the model's own pages do with an image, and with a text, alone."""
    model, processor = (
        AutoModel.from_pretrained(folder).eval(),
        AutoProcessor.from_pretrained(folder),
    )
    for file in images:
        inputs = processor(images=Image.open(io.BytesIO(file)), return_tensors="pt")
        yield model.get_image_features(**inputs).pooler_output[0].numpy()
    for text in texts:
        inputs = processor(text=[text], return_tensors="pt", **padding)
        yield model.get_text_features(**inputs).pooler_output[0].numpy()


@pytest.mark.parametrize(("name", "padding"), MODELS)
def test_images_and_texts_of_one_batch_get_the_documented_vectors(
    name: str, padding: dict[str, Any], tiny_model: Models
) -> None:
    folder = str(tiny_model(name))
    task = create_task("transformers", NAME, folder)
    images = tiny.images()
    expected = [*documented(folder, images, TEXTS, **padding)]
    order = [4, 0, 5, 1, 2, 6, 7, 3]  # images and texts among each other
    rows: list[dict[str, Any]] = [
        *({"images": [file]} for file in images),
        *({"texts": [text]} for text in TEXTS),
    ]
    for normalize in (True, False):
        inputs = [MultimodalEmbeddingInput(**rows[i], normalize=normalize) for i in order]
        together = vectors(task.backend.run(inputs))
        alone = [vectors(task.backend.run([row]))[0] for row in inputs]
        wanted = [expected[i] / (np.linalg.norm(expected[i]) if normalize else 1) for i in order]
        assert np.allclose(together, wanted, atol=TOLERANCE)
        assert np.allclose(alone, wanted, atol=TOLERANCE)


@pytest.mark.slow  # that library takes seconds to import
@pytest.mark.filterwarnings("ignore")  # its own
def test_sentence_transformers_makes_the_same_of_clip(tiny_model: Models) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules.clip_model import CLIPModel

    folder, images = str(tiny_model(NAME)), tiny.images()
    theirs = SentenceTransformer(modules=[CLIPModel(folder)], device="cpu")
    pictures = [Image.open(io.BytesIO(file)).convert("RGB") for file in images]
    expected = np.concatenate([theirs.encode(pictures), theirs.encode(TEXTS)])
    task = create_task("transformers", NAME, folder)
    rows = [
        *MultimodalEmbeddingInput(images=images, normalize=False).rows(),
        *MultimodalEmbeddingInput(texts=TEXTS, normalize=False).rows(),
    ]
    assert np.allclose(vectors(task.backend.run(rows)), expected, atol=TOLERANCE)


def test_a_trained_clip_finds_the_drawing_that_a_text_tells_of() -> None:
    source = locate("package:wherry.samples/weights/shapes-clip", Path())
    task = create_task("transformers", NAME, source, {"threads": 1})
    rng = np.random.default_rng(2026)
    shown = [draw(rng, 1) for _ in range(60)]
    captions = sorted({drawn.caption for _, (drawn,) in shown})
    images = [tiny.encode(image) for image, _ in shown]
    given = MultimodalEmbeddingInput(
        images=[*images, *[b""] * len(captions)],
        texts=[*[""] * len(images), *(f"This is a photo of {one}." for one in captions)],
    )
    found = np.array(vectors(task.backend.run(given.rows())))
    best = (found[: len(images)] @ found[len(images) :].T).argmax(1)
    right = [captions[at] == drawn.caption for at, (_, (drawn,)) in zip(best, shown, strict=True)]
    assert np.mean(right) >= 0.95


def test_a_model_without_a_space_of_both_is_refused(tiny_model: Models) -> None:
    with pytest.raises(ModelRefused, match="a vit does not have images and texts in one space"):
        create_task("transformers", NAME, str(tiny_model("image-classification")))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "images, texts: give one of the two, or both"),
        ({"images": [b"x", b"y"], "texts": ["", "a"]}, "row 1 has an image and a text"),
        ({"images": [b"x", b""], "texts": ["", ""]}, "row 1 has neither an image nor a text"),
        ({"images": [b"x"], "texts": ["", "a"]}, "texts: expected 1 entries, as images has, got 2"),
        ({"texts": []}, "texts"),
    ],
)
def test_a_row_is_one_of_both(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        MultimodalEmbeddingInput.validated(fields)


def test_an_empty_text_is_one_where_there_are_no_images() -> None:
    given = MultimodalEmbeddingInput(texts=["", "a"])
    assert [row.texts for row in given.rows()] == [[""], ["a"]]


def test_rows_of_a_request_of_both_are_as_those_of_one() -> None:
    both = MultimodalEmbeddingInput(images=[b"x", b"", b"y"], texts=["", "a", ""], normalize=False)
    assert both.rows() == [
        MultimodalEmbeddingInput(images=[b"x"], normalize=False),
        MultimodalEmbeddingInput(texts=["a"], normalize=False),
        MultimodalEmbeddingInput(images=[b"y"], normalize=False),
    ]


def test_a_text_weighs_as_an_image_of_as_many_patches() -> None:
    given = MultimodalEmbeddingInput(images=[tiny.images()[0], b""], texts=["", "a" * 400])
    assert given.costs() == [50 * 70, 100 * 256]
