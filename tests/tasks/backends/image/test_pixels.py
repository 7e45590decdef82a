"""The fast path against the processors it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.yolos.image_processing_pil_yolos import YolosImageProcessorPil

from wherry.protocol.errors import RowError
from wherry.tasks.backends.image.pixels import Pixels

from ....support import tiny

SIZES = ((50, 70), (64, 64), (120, 40), (333, 250), (31, 500), (7, 9))
EDGES = {"shortest_edge": 64, "longest_edge": 96}

PROCESSORS: list[Any] = [
    ViTImageProcessorPil(),
    ViTImageProcessorPil(size={"height": 40, "width": 72}, resample=Image.Resampling.BICUBIC),
    ViTImageProcessorPil(do_normalize=False, size=tiny.SQUARE),
    ViTImageProcessorPil(do_rescale=False, size=tiny.SQUARE),
    DeiTImageProcessorPil(),
    CLIPImageProcessorPil(),
    CLIPImageProcessorPil(do_resize=False, crop_size=tiny.SQUARE),
    BitImageProcessorPil(size={"shortest_edge": 72}, crop_size=tiny.SQUARE),
    SiglipImageProcessorPil(size=tiny.SQUARE),
    BeitImageProcessorPil(size=tiny.SQUARE),
    DetrImageProcessorPil(size=EDGES),
    DetrImageProcessorPil(size=tiny.SQUARE),
    # transformers' own refuses 31 x 500 where 16 would be left of the shorter edge.
    YolosImageProcessorPil(size={"shortest_edge": 128, "longest_edge": 300}),
]


def read(config: dict[str, Any]) -> Pixels:
    pixels = Pixels.from_config(config)
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda p: type(p).__name__)
def test_equal_to_the_processor(processor: Any) -> None:
    pixels = read(processor.to_dict())
    smallest = min(pixels.scale)  # one step of uint8, as the model sees it
    for seed, (width, height) in enumerate(SIZES):
        image = tiny.noise(width, height, seed)
        theirs = processor(images=[image], return_tensors="np")["pixel_values"]
        ours = pixels.normalise([pixels.fit(image)])
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-2 * smallest


def test_a_batch_is_its_images() -> None:
    pixels = read(ViTImageProcessorPil(size=tiny.SQUARE).to_dict())
    fitted = [pixels.fit(tiny.noise(w, h, w)) for w, h in SIZES]
    batch = pixels.normalise(fitted)
    assert batch.shape == (len(SIZES), 3, 64, 64)
    for row, image in zip(batch, fitted, strict=True):
        assert np.array_equal(row, pixels.normalise([image])[0])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"image_processor_type": "SegformerImageProcessor", "size": {"longest_edge": 64}},
        {"image_processor_type": "Siglip2ImageProcessor"},
        {"image_processor_type": "ViTHybridImageProcessor"},
        {"image_processor_type": "ConvNextImageProcessor", "do_center_crop": True},
        {"image_processor_type": "SuperPointImageProcessor", "do_grayscale": True},
        {"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 64}},
        {"image_processor_type": "ViTImageProcessor", "image_mean": [0.5], "image_std": [0.5]},
        {"image_processor_type": "EomtImageProcessor", "do_split_image": True},
    ],
)
def test_what_does_more_is_left_to_the_processor(config: dict[str, Any]) -> None:
    assert Pixels.from_config(config) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"feature_extractor_type": "ViTFeatureExtractor", "size": 64},
            {"image_processor_type": "ViTImageProcessor", "size": tiny.SQUARE},
        ),
        (
            {"feature_extractor_type": "CLIPFeatureExtractor", "size": 64, "crop_size": 64},
            {
                "image_processor_type": "CLIPImageProcessorFast",
                "size": {"shortest_edge": 64},
                "crop_size": tiny.SQUARE,
            },
        ),
        (
            {"feature_extractor_type": "DetrFeatureExtractor", "size": 64, "max_size": 96},
            {"image_processor_type": "DetrImageProcessor", "size": EDGES},
        ),
    ],
)
def test_configurations_of_2022(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert read(old) == read(new)


@pytest.mark.parametrize(
    "processor",
    [ViTImageProcessorPil, CLIPImageProcessorPil, DeiTImageProcessorPil, SiglipImageProcessorPil,
     BeitImageProcessorPil, BitImageProcessorPil, DetrImageProcessorPil, YolosImageProcessorPil],
)  # fmt: skip
def test_defaults_are_the_processors_own(processor: Any) -> None:
    whole = processor().to_dict()
    assert read({"image_processor_type": whole["image_processor_type"]}) == read(whole)


def test_a_line_is_refused_and_does_not_swell() -> None:
    pixels = read(CLIPImageProcessorPil().to_dict())
    with pytest.raises(RowError, match="100000 x 1 pixels"):
        pixels.fit(Image.new("RGB", (100_000, 1)))
    with pytest.raises(RowError, match="1 x 5000 pixels"):
        read(DetrImageProcessorPil().to_dict()).fit(Image.new("RGB", (1, 5000)))


@pytest.mark.parametrize(
    ("name", "size"),
    [("Llava", (100_000, 1)), ("Perceiver", (1, 90)), ("GLPN", (31, 90)), ("Vilt", (1, 900))],
)
def test_a_line_is_refused_whatever_is_made_of_it(name: str, size: tuple[int, int]) -> None:
    pixels = read({"image_processor_type": f"{name}ImageProcessor", "do_pad": True})
    for fit in (pixels.fit, lambda image: pixels.fit_reduced(image, image.size)):
        with pytest.raises(RowError, match=f"{size[0]} x {size[1]} pixels is too narrow"):
            fit(Image.new("RGB", size))


def test_a_large_image_keeps_its_size_where_nothing_grows() -> None:
    pixels = read({"image_processor_type": "GLPNImageProcessor"})
    assert pixels.fit(Image.new("RGB", (4224, 4001))).size == (4224, 4000)
