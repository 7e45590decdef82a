"""The fast path against every processor of transformers that it stands for."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from wherry.protocol.errors import RowError
from wherry.tasks.backends.image.pixels import Pixels
from wherry.tasks.backends.image.processor_table import KNOWN

from ....support import tiny

#: Portrait, landscape, exact, smaller than any crop, and lines.
SIZES = ((50, 71), (64, 64), (121, 43), (7, 9), (1, 64), (64, 1), (31, 303))
LARGE = (901, 1210)

_SHORT = {"shortest_edge": 64}
_BOUNDED = {"shortest_edge": 64, "longest_edge": 96}
_PAD = {"height": 140, "width": 131}
_OFF = {"do_normalize": False, "do_rescale": False}

#: Settings to try beside each processor's own, which are made small: the arithmetic is the same.
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "Beit": ({"size": tiny.SQUARE}, {"do_center_crop": True, "crop_size": tiny.SQUARE}),
    "Bit": ({"size": {"shortest_edge": 72}, "crop_size": tiny.SQUARE},),
    "Blip": ({"size": tiny.SQUARE},),
    "BridgeTower": ({"size": _SHORT, "crop_size": _SHORT}, {"do_center_crop": False}),
    "CLIP": ({"size": _SHORT}, {"do_resize": False, "crop_size": tiny.SQUARE}),
    "Chameleon": ({"size": _SHORT, "crop_size": {"height": 50, "width": 61}},),
    "ChineseCLIP": ({"size": tiny.SQUARE, "do_center_crop": False},),
    "ConditionalDetr": ({"size": _BOUNDED}, {"size": _BOUNDED, "pad_size": _PAD}),
    "ConvNext": ({"size": _SHORT}, {"size": _SHORT, "crop_pct": 0.95}, {"do_resize": False}),
    "DPT": (
        {"size": tiny.SQUARE},
        {"size": {"height": 66, "width": 50}, "keep_aspect_ratio": True, "ensure_multiple_of": 14},
        {"size": {"height": 66, "width": 50}, "do_pad": True, "size_divisor": 14},
        {"size": {"height": 66, "width": 50}, "ensure_multiple_of": 16},
    ),
    "DeformableDetr": ({"size": _BOUNDED}, {"size": {"max_height": 70, "max_width": 90}}),
    "DeiT": ({"size": {"height": 72, "width": 72}, "crop_size": tiny.SQUARE},),
    "Detr": ({"size": _BOUNDED}, {"size": _BOUNDED, "pad_size": _PAD, "do_normalize": False}),
    "EfficientNet": (
        {"size": tiny.SQUARE},
        {"size": tiny.SQUARE, "rescale_offset": True, "rescale_factor": 1 / 127.5},
        {"size": tiny.SQUARE, "include_top": False, "do_center_crop": True},
        {"size": tiny.SQUARE, "do_normalize": False, "resample": 0},
    ),
    "Eomt": (
        {"size": _BOUNDED},
        {"size": {"shortest_edge": 64, "longest_edge": 64}, "do_pad": True},
    ),
    "Flava": ({"size": tiny.SQUARE, "crop_size": {"height": 60, "width": 50}},),
    "GLPN": ({}, {"size_divisor": 16}),
    "GroundingDino": ({"size": _BOUNDED},),
    "Levit": ({"size": _SHORT, "crop_size": tiny.SQUARE}, {"size": tiny.SQUARE}),
    "Llava": ({"size": _SHORT, "do_pad": True}, {"size": _SHORT, "crop_size": tiny.SQUARE}),
    "Mask2Former": ({"size": _BOUNDED}, {"size": _BOUNDED, "pad_size": _PAD}),
    "MaskFormer": ({"size": _BOUNDED, "size_divisor": 0}, {"size": tiny.SQUARE}),
    "MobileNetV1": ({"size": _SHORT, "crop_size": {"height": 56, "width": 57}},),
    "MobileNetV2": ({"size": _SHORT, "do_reduce_labels": True},),
    "MobileViT": ({"size": _SHORT, "crop_size": {"height": 73, "width": 73}}, _OFF),
    "OneFormer": ({"size": _BOUNDED},),
    "OwlViT": ({"size": tiny.SQUARE},),
    "PPChart2Table": ({"size": tiny.SQUARE},),
    "Perceiver": ({"size": {"height": 40, "width": 60}, "crop_size": tiny.SQUARE},),
    "PoolFormer": (
        {"size": _SHORT, "crop_size": tiny.SQUARE},
        {"size": tiny.SQUARE, "crop_pct": 0.8},
        {"size": {"height": 60, "width": 40}, "crop_pct": 0.8},
        {"size": tiny.SQUARE, "crop_pct": None},
    ),
    "PromptDepthAnything": ({"size": tiny.SQUARE, "keep_aspect_ratio": True},),
    "Pvt": ({"size": tiny.SQUARE},),
    "RTDetr": ({"size": tiny.SQUARE}, {"size": _BOUNDED, "do_pad": True, "pad_size": _PAD}),
    "Segformer": ({"size": tiny.SQUARE, "do_reduce_labels": True},),
    "Siglip": ({"size": tiny.SQUARE},),
    "SuperPoint": ({"size": tiny.SQUARE},),
    "Swin2SR": ({}, {"do_pad": False}),
    "TextNet": ({"size": {"shortest_edge": 70}}, {"size": _SHORT, "do_center_crop": True}),
    "ViT": (
        {"size": tiny.SQUARE},
        {"size": tiny.SQUARE, **_OFF},
        {"do_pad": True, "pad_size": _PAD, "size": tiny.SQUARE},
    ),
    "Vilt": ({"size": _SHORT}, {"size": _SHORT, "size_divisor": 16}),
    "Yolos": ({"size": {"shortest_edge": 128, "longest_edge": 300}},),
}


def made(name: str, settings: dict[str, Any]) -> Any:
    """The processor of a name as it is where no torchvision is installed."""
    whole = f"{name}ImageProcessorPil"
    for kind, known in IMAGE_PROCESSOR_MAPPING_NAMES.items():
        if whole in known.values():
            module = kind.replace("-", "_")
            try:
                place = f"transformers.models.{module}.image_processing_pil_{module}"
                return getattr(importlib.import_module(place), whole)(**settings)
            except (AttributeError, ModuleNotFoundError):
                continue
    raise LookupError(whole)


def test_each_is_tried() -> None:
    assert {*SETTINGS} == {*KNOWN}


@pytest.mark.parametrize("name", KNOWN)
def test_equal_to_the_processor(name: str) -> None:
    for settings in SETTINGS[name]:
        processor = made(name, settings)
        pixels = Pixels.from_config(processor.to_dict())
        assert pixels is not None, settings
        sizes = (*SIZES, LARGE) if settings is SETTINGS[name][0] else SIZES
        for seed, (width, height) in enumerate(sizes):
            told = f"{settings} {width} x {height}"
            image = tiny.noise(width, height, seed)
            try:
                more = {"task_inputs": ["semantic"]} if name == "OneFormer" else {}
                theirs = processor(images=[image], return_tensors="np", **more)
            except Exception:  # theirs are many where nothing is left of an image
                with pytest.raises(RowError):
                    pixels.fit(image)
                continue
            if name == "Perceiver" and min(width, height) == 1:
                # Its crop leaves no pixel, and the processor makes a black image of it.
                with pytest.raises(RowError):
                    pixels.fit(image)
                continue
            fitted = pixels.fit(image)
            ours = pixels.normalise([fitted])
            assert ours.shape == theirs["pixel_values"].shape, told
            assert ours.dtype == np.float32
            unit = max(1.0, float(np.abs(theirs["pixel_values"]).max()))
            assert np.abs(ours - theirs["pixel_values"]).max() <= 1e-5 * unit, told
            if "pixel_mask" in theirs:
                assert np.array_equal(pixels.mask([fitted]), theirs["pixel_mask"]), told
            assert pixels.fixed in (None, (ours.shape[3], ours.shape[2])), told


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_unsaid_is_the_processors_own(name: str) -> None:
    whole = made(name, {}).to_dict()
    unsaid = Pixels.from_config({"image_processor_type": whole["image_processor_type"]})
    assert unsaid == Pixels.from_config(whole)
