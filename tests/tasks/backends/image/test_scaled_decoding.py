"""JPEGs decoded to less than their size, against the same ones decoded whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from wherry.tasks.backends.base import ModelRefused
from wherry.tasks.backends.image.fitting import fitted
from wherry.tasks.backends.image.pixels import Pixels
from wherry.tasks.create import create_task
from wherry.tasks.vision.image_classification import (
    ImageClassificationInput,
    ImageClassificationOutput,
)
from wherry.tasks.vision.images import MAX_PIXELS
from wherry.tasks.vision.object_detection import ObjectDetectionInput, ObjectDetectionOutput
from wherry.tasks.vision.optical_character_recognition import OpticalCharacterRecognitionInput

from ....support import pictures, tiny

SMALL = {"height": 128, "width": 128}
EOMT = {"shortest_edge": 224, "longest_edge": 224}


@pytest.fixture(scope="module")
def photograph() -> bytes:
    """A JPEG of 1808 x 1208 pixels, stored on its side, of a photograph with fine lines."""
    path = Path(skimage.__file__).parent / "data" / "rocket.jpg"
    with Image.open(path) as opened:
        image = opened.convert("RGB").resize((1208, 1808), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("resample", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
@pytest.mark.parametrize(
    "size", [{"height": 224, "width": 224}, {"shortest_edge": 301}, {"height": 90, "width": 400}]
)
def test_pixels_are_off_by_little(
    photograph: bytes, size: dict[str, int], resample: Image.Resampling
) -> None:
    pixels = Pixels.from_config(ViTImageProcessorPil(size=size, resample=resample).to_dict())
    assert pixels is not None
    row = ImageClassificationInput(images=[photograph])
    whole = fitted(row, pixels, MAX_PIXELS)
    less = fitted(row, pixels, MAX_PIXELS, scaled=True)
    assert less.size == whole.size == (1808, 1208)
    assert less.image.size == whole.image.size
    off = np.abs(np.asarray(less.image, int) - np.asarray(whole.image, int))
    assert off.any()
    assert off.mean() < 0.3
    assert off.max() <= 16


@pytest.mark.parametrize("backend", ["transformers", "onnxruntime"])
def test_a_model_asks_for_it(backend: str, vit: Path, photograph: bytes) -> None:
    rows = ImageClassificationInput(images=[photograph, tiny.images()[0]])
    scores = []
    for given in ({}, {"decode": "scaled"}):
        made = create_task(backend, "image-classification", str(vit), given).process(rows)
        assert isinstance(made, ImageClassificationOutput)
        scores.append([{r.label: r.score for r in row} for row in made.results])
    assert scores[0][1] == scores[1][1]  # a small one is decoded whole
    assert scores[0][0] != scores[1][0]
    assert scores[0][0] == pytest.approx(scores[1][0], abs=1e-2)


def test_boxes_are_in_the_pictures_own_pixels(yolos: Path, photograph: bytes) -> None:
    rows = ObjectDetectionInput(images=[photograph], threshold=0.0)
    boxes = []
    for given in ({}, {"decode": "scaled"}):
        made = create_task("transformers", "object-detection", str(yolos), given).process(rows)
        assert isinstance(made, ObjectDetectionOutput)
        boxes.append([d.box.model_dump() for d in made.detections[0]])
    assert len(boxes[0]) == len(boxes[1]) > 0
    assert max(box["xmax"] for box in boxes[1]) > 900
    for one, other in zip(*boxes, strict=True):
        assert one == pytest.approx(other, abs=2)


def test_pages_keep_their_own_sizes() -> None:
    sheets = [Image.new("RGB", size, "red") for size in ((60, 40), (40, 60))]
    pixels = Pixels.from_config(ViTImageProcessorPil(size={"shortest_edge": 20}).to_dict())
    assert pixels is not None
    (row,) = OpticalCharacterRecognitionInput(images=[pictures.paged(sheets, "TIFF")]).rows()
    found = [fitted(page, pixels, MAX_PIXELS, scaled=True) for page in row.parts()]
    assert [page.size for page in found] == [(60, 40), (40, 60)]
    assert [page.image.size for page in found] == [(30, 20), (20, 30)]


@pytest.mark.parametrize(
    "config",
    [
        {"image_processor_type": "CLIPImageProcessor"},
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}},
        {"image_processor_type": "LlavaImageProcessor", "do_pad": True},
        {"image_processor_type": "PerceiverImageProcessor"},
        {"image_processor_type": "EomtImageProcessor", "do_pad": True, "size": EOMT},
    ],
    ids=lambda config: config["image_processor_type"],
)
def test_what_is_cropped_and_padded_is_off_by_little(
    photograph: bytes, config: dict[str, Any]
) -> None:
    assert_off_by_little(photograph, config)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_any_size_and_kind_is_off_by_little(photograph: bytes, form: str) -> None:
    with Image.open(io.BytesIO(photograph)) as opened:
        image = opened.convert("RGB").crop((0, 0, 1203, 1201))
    buffer = io.BytesIO()
    image.save(buffer, form, quality=90)
    assert_off_by_little(
        buffer.getvalue(), {"image_processor_type": "ViTImageProcessor", "size": SMALL}
    )


def assert_off_by_little(file: bytes, config: dict[str, Any]) -> None:
    pixels = Pixels.from_config(config)
    assert pixels is not None
    assert not pixels.unscalable
    row = ImageClassificationInput(images=[file])
    whole, less = (fitted(row, pixels, MAX_PIXELS, scaled=scaled) for scaled in (False, True))
    assert less.size == whole.size
    off = np.abs(np.asarray(less.image, int) - np.asarray(whole.image, int))
    assert off.any()
    assert off.mean() < 0.5
    assert off.max() <= 24


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"image_processor_type": "ViTImageProcessor", "resample": 0}, "single pixels"),
        ({"image_processor_type": "GLPNImageProcessor"}, "own size"),
        ({"image_processor_type": "Swin2SRImageProcessor"}, "own size"),
    ],
)
def test_it_is_said_why_not(config: dict[str, Any], why: str) -> None:
    pixels = Pixels.from_config(config)
    assert pixels is not None
    assert why in pixels.unscalable


def test_the_older_word_is_heard(vit: Path, caplog: pytest.LogCaptureFixture) -> None:
    create_task("transformers", "image-classification", str(vit), {"scaled_decoding": True})
    assert 'called decode = "scaled" now' in caplog.text


def test_an_unknown_word_is_refused(vit: Path) -> None:
    with pytest.raises(ValueError, match="decode 'half': use exact or scaled"):
        create_task("transformers", "image-classification", str(vit), {"decode": "half"})


def test_a_model_that_does_more_refuses_it(processed: Path) -> None:
    with pytest.raises(ModelRefused, match='decode = "scaled": .*does more with an image'):
        create_task("transformers", "image-classification", str(processed), {"decode": "scaled"})
