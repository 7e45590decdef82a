"""Regions hidden, the rest untouched: by hand-made boxes, and by the trained detector of shapes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import wherry.samples
from wherry.protocol import v2
from wherry.protocol.errors import InvalidRequest
from wherry.samples.shapes_data import SHAPES, Drawn, draw
from wherry.tasks.backends.image.anonymize import anonymize
from wherry.tasks.boxes import BoundingBox
from wherry.tasks.create import LocalTask, create_task
from wherry.tasks.vision.image_anonymization import (
    ImageAnonymizationInput,
    ImageAnonymizationOutput,
    Strategy,
)
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput

from ....support import tiny

SHAPES_MODEL = Path(next(iter(wherry.samples.__path__))) / "weights" / "shapes"


@pytest.fixture(scope="module")
def task() -> LocalTask:
    return create_task("transformers", "image-anonymization", str(SHAPES_MODEL))


@pytest.fixture(scope="module")
def pictures() -> list[tuple[Image.Image, Drawn]]:
    """Two drawings of each shape, seen at the size they were drawn in and larger."""
    rng = np.random.default_rng(7)
    found: list[tuple[Image.Image, Drawn]] = []
    while len(found) < 6:
        image, (drawn,) = draw(rng)
        if sum(other.shape == drawn.shape for _, other in found) < 2:
            found.append((image, drawn))
    return found


def array(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def read(file: bytes) -> NDArray[np.int64]:
    image = Image.open(io.BytesIO(file))
    assert image.format == "PNG"
    return array(image)


def run(task: LocalTask, images: list[Image.Image], **parameters: Any) -> ImageAnonymizationOutput:
    files = [tiny.encode(image) for image in images]
    output = task.process(ImageAnonymizationInput(images=files, **parameters))
    assert isinstance(output, ImageAnonymizationOutput)
    return output


def inside(drawn: Drawn, shape: tuple[int, ...], margin: int) -> NDArray[np.bool_]:
    """The pixels of a drawn shape's box, grown by a margin or shrunk."""
    x, y = np.arange(shape[1]), np.arange(shape[0])[:, None]
    left, top, right, bottom = drawn.box
    across = (x >= left - margin) & (x <= right + margin)
    mask: NDArray[np.bool_] = across & (y >= top - margin) & (y <= bottom + margin)
    return mask


@pytest.mark.parametrize("strategy", ["blur", "pixelate", "black_box"])
def test_a_drawn_shape_is_hidden_and_the_rest_untouched(
    strategy: Strategy, task: LocalTask, pictures: list[tuple[Image.Image, Drawn]]
) -> None:
    output = run(task, [image for image, _ in pictures], strategy=strategy)
    assert output.num_regions_anonymized == [1] * len(pictures)
    for (image, drawn), file in zip(pictures, output.anonymized_images, strict=True):
        before, after = array(image), read(file)
        assert after.shape == before.shape
        beyond = ~inside(drawn, before.shape, 6)
        assert np.array_equal(after[beyond], before[beyond])
        core = inside(drawn, before.shape, -3)
        changed = (after != before).any(-1)
        if strategy == "black_box":
            assert (after[core] == 0).all()
        elif strategy == "blur":
            assert changed[core].mean() > 0.9
        else:
            assert changed[inside(drawn, before.shape, 3)].mean() > 0.05  # a square's middle stays
            assert len(np.unique(after[core], axis=0)) <= 64


def test_only_the_classes_that_were_asked_for(
    task: LocalTask, pictures: list[tuple[Image.Image, Drawn]]
) -> None:
    images = [image for image, _ in pictures]
    output = run(task, images, classes=["circle"])
    circles = [int(SHAPES[drawn.shape] == "circle") for _, drawn in pictures]
    assert sum(circles) == 2
    assert output.num_regions_anonymized == circles
    for image, file, circle in zip(images, output.anonymized_images, circles, strict=True):
        assert np.array_equal(read(file), array(image)) is not bool(circle)
    nothing = run(task, images, classes=[])
    assert nothing.num_regions_anonymized == [0] * 6
    for image, file in zip(images, nothing.anonymized_images, strict=True):
        assert np.array_equal(read(file), array(image))


def test_regions_are_what_detection_finds(
    task: LocalTask, pictures: list[tuple[Image.Image, Drawn]]
) -> None:
    # Other sizes than the model's own: boxes are in pixels of the image as it was sent.
    images = [image.resize((150, 90 + 10 * i)) for i, (image, _) in enumerate(pictures)]
    files = [tiny.encode(image) for image in images]
    detector = create_task("transformers", "object-detection", str(SHAPES_MODEL))
    found = detector.process(ObjectDetectionInput(images=files, threshold=0.2))
    assert isinstance(found, ObjectDetectionOutput)
    output = run(task, images, strategy="black_box", threshold=0.2)
    for image, objects, file, count in zip(
        images, found.detections, output.anonymized_images, output.num_regions_anonymized,
        strict=True,
    ):  # fmt: skip
        assert count == len(objects) > 0
        anonymize(image, [o.box for o in objects], "black_box", 1)
        assert np.array_equal(read(file), array(image))


NOISE = tiny.noise(100, 60)


@pytest.mark.parametrize("strategy", ["blur", "pixelate", "black_box"])
@pytest.mark.parametrize(
    ("box", "whole"),
    [
        ((10.6, 20.2, 49.5, 40), (10, 20, 50, 40)),
        ((-5, -5, 3, 3), (0, 0, 3, 3)),
        ((90, 50, 200, 300), (90, 50, 100, 60)),
        ((5, 5, 5.5, 60), (5, 5, 6, 60)),
    ],
)
def test_every_pixel_that_a_box_touches(
    strategy: Strategy, box: tuple[float, ...], whole: tuple[int, ...]
) -> None:
    image = NOISE.copy()
    edges = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    assert anonymize(image, [BoundingBox(**edges)], strategy, 51) == 1
    changed = (array(image) != array(NOISE)).any(-1)
    rows, columns = np.nonzero(changed)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found == whole


@pytest.mark.parametrize("box", [(-9, -9, -1, -1), (100, 0, 120, 20), (5, 5, 5, 9), (9, 5, 5, 9)])
def test_a_box_beside_the_image_counts_for_nothing(box: tuple[float, ...]) -> None:
    image = NOISE.copy()
    edges = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    assert anonymize(image, [BoundingBox(**edges)], "black_box", 51) == 0
    assert np.array_equal(array(image), array(NOISE))


def test_a_larger_radius_blurs_more() -> None:
    spreads = []
    for radius in (1, 5, 51):
        image = NOISE.copy()
        anonymize(image, [BoundingBox(xmin=0, ymin=0, xmax=100, ymax=60)], "blur", radius)
        spreads.append(array(image).std())
    assert spreads[0] > 1.5 * spreads[1] > 3 * spreads[2]


def test_pixelated_regions_have_few_cells() -> None:
    image = NOISE.copy()
    anonymize(image, [BoundingBox(xmin=0, ymin=0, xmax=100, ymax=60)], "pixelate", 1)
    colours = np.unique(array(image).reshape(-1, 3), axis=0)
    assert 20 < len(colours) <= 8 * 5


def test_metadata_does_not_survive(task: LocalTask) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    photo = tiny.encode(NOISE, "JPEG", exif=exif)
    assert b"taken at home" in photo
    output = task.process(ImageAnonymizationInput(images=[photo]))
    assert isinstance(output, ImageAnonymizationOutput)
    assert not Image.open(io.BytesIO(output.anonymized_images[0])).getexif()
    assert b"taken at home" not in output.anonymized_images[0]


def test_classes_may_come_as_json_in_a_string() -> None:
    def read_classes(classes: object) -> list[str] | None:
        request = ImageAnonymizationInput(images=[b"x"]).to_inference_request()
        request.parameters["classes"] = classes
        return ImageAnonymizationInput.from_inference_request(
            v2.InferenceRequest.model_validate(request.model_dump())
        ).classes

    assert read_classes(["face"]) == read_classes('["face"]') == ["face"]
    assert read_classes("[]") == []
    for wrong in ("face", '"face"', [1], {"a": 1}):
        with pytest.raises(InvalidRequest, match="classes"):
            read_classes(wrong)


def test_parameters_of_the_detector_are_checked() -> None:
    with pytest.raises(ValueError, match="dtype 'float99'"):
        create_task("transformers", "image-anonymization", str(SHAPES_MODEL), {"dtype": "float99"})
