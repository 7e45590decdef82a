"""The shipped models do what their cards say."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training.clip import KINDS
from training.segmenter import LABELS
from training.shapes_quality import Found, label_overlaps, quality

import wherry.samples
from wherry.samples.digits_data import load, split
from wherry.samples.shapes_data import SHAPES, SIZE, draw, label_map
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.tasks.vision.image_segmentation import ImageSegmentationInput, ImageSegmentationOutput
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput
from wherry.tasks.vision.zero_shot_image_classification import (
    ZeroShotImageClassificationInput,
    ZeroShotImageClassificationOutput,
)

WEIGHTS = Path(next(iter(wherry.samples.__path__))) / "weights"


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
@pytest.mark.parametrize("edge", [32, 64, 200])
def test_digits_that_were_held_out(backend: str, edge: int) -> None:
    scans, labels = load()
    _, _, held_out = split(labels)
    size, smooth = (edge, edge), Image.Resampling.BILINEAR
    images = [png(Image.fromarray(scans[i]).resize(size, smooth)) for i in held_out]
    task = create_task(backend, "image-classification", str(WEIGHTS / "digits"), {"threads": 1})
    output = task.process(ImageClassificationInput(images=images, top_k=1))
    assert isinstance(output, ImageClassificationOutput)
    answers = [row[0].label for row in output.results]
    right = np.mean([a == str(labels[i]) for a, i in zip(answers, held_out, strict=True)])
    assert right >= 0.98


def test_digits_split_apart() -> None:
    _, labels = load()
    parts = split(labels)
    assert [len(part) for part in parts] == [1257, 180, 360]
    assert len(set(np.concatenate(parts).tolist())) == 1797


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_shapes_that_were_never_drawn_before(backend: str) -> None:
    rng = np.random.default_rng(99)
    pictures = [draw(rng) for _ in range(500)]
    images, truths = [png(image) for image, _ in pictures], [drawn for _, drawn in pictures]
    task = create_task(backend, "object-detection", str(WEIGHTS / "shapes"), {"threads": 1})
    everything = found(task, images, threshold=0.0)
    assert quality(truths, [row[:1] for row in everything]).precision >= 0.95
    sure = quality(truths, found(task, images, threshold=0.5))
    assert sure.precision >= 0.95
    assert sure.recall >= 0.95


def found(task: LocalTask, images: list[bytes], *, threshold: float) -> list[list[Found]]:
    output = task.process(ObjectDetectionInput(images=images, threshold=threshold))
    assert isinstance(output, ObjectDetectionOutput)
    return [
        [(SHAPES.index(o.label), (o.box.xmin, o.box.ymin, o.box.xmax, o.box.ymax)) for o in row]
        for row in output.detections
    ]


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_captions_of_pictures_that_were_never_drawn_before(backend: str) -> None:
    rng = np.random.default_rng(99)
    pictures = [draw(rng) for _ in range(300)]
    task = create_task(
        backend, "zero-shot-image-classification", str(WEIGHTS / "shapes-clip"), {"threads": 1}
    )
    output = task.process(
        ZeroShotImageClassificationInput(
            images=[png(image) for image, _ in pictures],
            candidate_labels=[f"a {label}" for label in KINDS[0]],
        )
    )
    assert isinstance(output, ZeroShotImageClassificationOutput)
    best = [row[0].label for row in output.results]
    truths = [f"a {drawn.caption}" for _, (drawn,) in pictures]
    assert np.mean([a == b for a, b in zip(best, truths, strict=True)]) >= 0.95


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_pixels_of_pictures_that_were_never_drawn_before(backend: str) -> None:
    rng = np.random.default_rng(99)
    pictures = [draw(rng, most=3) for _ in range(100)]
    task = create_task(
        backend, "image-segmentation", str(WEIGHTS / "shapes-segmenter"), {"threads": 1}
    )
    output = task.process(ImageSegmentationInput(images=[png(image) for image, _ in pictures]))
    assert isinstance(output, ImageSegmentationOutput)
    found = np.zeros((len(pictures), SIZE, SIZE), np.int64)
    for one, segments in zip(found, output.segments, strict=True):
        for segment in segments:
            mask = np.asarray(Image.open(io.BytesIO(segment.mask)))
            one[mask == 255] = LABELS.index(segment.label)
    truth = np.stack([label_map(drawn) for _, drawn in pictures])
    overlaps = label_overlaps(truth, found, len(LABELS))
    assert min(overlaps[1:]) >= 0.92
    assert overlaps[0] >= 0.97
