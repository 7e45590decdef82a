"""The shipped CLIP and UperNet, by both backends: do the answers say what the pictures show?"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wherry.samples.shapes_data import COLOURS, SHAPES, SIZE, Drawn, draw, label_map
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.locate import locate
from wherry.tasks.vision.image_feature_extraction import (
    ImageFeatureExtractionInput,
    ImageFeatureExtractionOutput,
)
from wherry.tasks.vision.image_segmentation import (
    ImageSegmentationInput,
    ImageSegmentationOutput,
    Segment,
)
from wherry.tasks.vision.zero_shot_image_classification import (
    ZeroShotImageClassificationInput,
    ZeroShotImageClassificationOutput,
)

from ....support import tiny

CLIP, SEGMENTER = (
    locate(f"package:wherry.samples/weights/{name}", Path())
    for name in ("shapes-clip", "shapes-segmenter")
)
BOTH = pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])

Picture = tuple[Image.Image, list[Drawn]]


@functools.cache
def task(backend: str, name: str, source: str) -> LocalTask:
    return create_task(backend, name, source, {"threads": 1})


def pictures(count: int, most: int = 1) -> list[Picture]:
    rng = np.random.default_rng(2026)
    return [draw(rng, most) for _ in range(count)]


def classify(
    backend: str, images: list[bytes], labels: list[list[str]], **parameters: Any
) -> list[dict[str, float]]:
    """Scores by label, the best first, of images that share batches; labels are each one's own."""
    rows = [
        ZeroShotImageClassificationInput(images=[image], candidate_labels=named, **parameters)
        for image, named in zip(images, labels, strict=True)
    ]
    answers = task(backend, "zero-shot-image-classification", CLIP).backend.run(rows)
    found = [a.results[0] for a in answers if isinstance(a, ZeroShotImageClassificationOutput)]
    assert len(found) == len(rows)
    return [{label.label: label.score for label in one} for one in found]


@BOTH
@pytest.mark.parametrize("template", ["This is a photo of {}.", "{}", "a photo of a {}"])
def test_pictures_are_told_by_what_is_asked_of_each(backend: str, template: str) -> None:
    shown = pictures(90)
    kinds = [
        ([*SHAPES], lambda d: SHAPES[d.shape]),
        ([*COLOURS], lambda d: d.colour),
        ([f"{c} {s}" for c in COLOURS for s in SHAPES], lambda d: d.caption),
    ]
    asked = [kinds[index % 3] for index in range(len(shown))]
    answers = classify(
        backend,
        [tiny.encode(image) for image, _ in shown],
        [labels for labels, _ in asked],
        hypothesis_template=template,
    )
    truths = [of(drawn) for (_, of), (_, (drawn,)) in zip(asked, shown, strict=True)]
    best = [next(iter(answer)) for answer in answers]
    assert np.mean([a == b for a, b in zip(best, truths, strict=True)]) >= 0.95


def test_vectors_of_like_pictures_are_close() -> None:
    shown = pictures(120)
    images = [tiny.encode(image) for image, _ in shown]
    output = task("transformers", "image-feature-extraction", CLIP).process(
        ImageFeatureExtractionInput(images=images, pool=True)
    )
    assert isinstance(output, ImageFeatureExtractionOutput)
    vectors = np.asarray(output.embeddings)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = (vectors @ vectors.T - 2 * np.eye(len(vectors))).argmax(1)
    captions = [drawn.caption for _, (drawn,) in shown]
    same = [captions[near] == own for near, own in zip(nearest, captions, strict=True)]
    assert np.mean(same) >= 0.95  # by chance one in twelve


def segment(backend: str, images: list[bytes]) -> list[list[Segment]]:
    """Segments of images that share a batch."""
    rows = ImageSegmentationInput(images=images).rows()
    answers = task(backend, "image-segmentation", SEGMENTER).backend.run(rows)
    found = [a.segments[0] for a in answers if isinstance(a, ImageSegmentationOutput)]
    assert len(found) == len(rows)
    return found


def on(segment: Segment) -> NDArray[np.bool_]:
    """The pixels of a mask; it has no values but 0 and 255."""
    image = Image.open(io.BytesIO(segment.mask))
    assert (image.format, image.mode) == ("PNG", "L")
    mask = np.asarray(image)
    assert set(np.unique(mask)) == {0, 255}
    pixels: NDArray[np.bool_] = mask == 255
    return pixels


@BOTH
def test_masks_lie_on_what_was_drawn_at_any_size(backend: str) -> None:
    shown = [picture for picture in pictures(20, most=3) if len(picture[1]) == 2][:2]
    sizes = [(64, 64), (190, 130)]
    images = [
        tiny.encode(image.resize(size, Image.Resampling.BILINEAR))
        for (image, _), size in zip(shown, sizes, strict=True)
    ]
    for segments, size, (_, drawn) in zip(segment(backend, images), sizes, shown, strict=True):
        truth = np.asarray(Image.fromarray(label_map(drawn).astype(np.uint8)).resize(size, 0))
        labels = ("background", *SHAPES)
        assert {part.label for part in segments} == {labels[n] for n in np.unique(truth)}
        masks = [on(part) for part in segments]
        assert (np.sum(masks, axis=0) == 1).all()  # each pixel has one label
        for part, mask in zip(segments, masks, strict=True):
            wanted = truth == labels.index(part.label)
            assert (mask & wanted).sum() / (mask | wanted).sum() > 0.85


def test_both_backends_give_one_answer() -> None:
    images = [tiny.encode(image) for image, _ in pictures(40, most=3)]
    asked = [[f"{c} {s}" for c in COLOURS for s in SHAPES]] * len(images)
    one, other = (classify(backend, images, asked) for backend in ("transformers", "onnxruntime"))
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b, abs=1e-3)
    torch_segments, onnx_segments = (
        segment(backend, images) for backend in ("transformers", "onnxruntime")
    )
    differing = [
        on(a) != on(b)
        for mine, others in zip(torch_segments, onnx_segments, strict=True)
        for a, b in zip(mine, others, strict=True)
    ]
    assert len(differing) > len(images)
    assert np.mean(differing) < 1e-3
    assert differing[0].shape == (SIZE, SIZE)
