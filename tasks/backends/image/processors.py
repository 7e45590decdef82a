"""What preprocessor_config.json leaves unsaid: each processor's defaults, and its older forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from PIL import Image

_NAME = re.compile(r"(\w+?)(ImageProcessor|FeatureExtractor|VideoProcessor)(Fast|Pil)?")

_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
_HALF = (0.5, 0.5, 0.5)
_CLIP = {
    "image_mean": (0.48145466, 0.4578275, 0.40821073),
    "image_std": (0.26862954, 0.26130258, 0.27577711),
    "resample": _BICUBIC,
    "size": {"shortest_edge": 224},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
}
_DETR = {
    "image_mean": (0.485, 0.456, 0.406),
    "image_std": (0.229, 0.224, 0.225),
    "resample": _BILINEAR,
    "size": {"shortest_edge": 800, "longest_edge": 1333},
}


def _plain(edge: int, resample: Image.Resampling, **more: Any) -> dict[str, Any]:
    size = {"height": edge, "width": edge}
    return {"image_mean": _HALF, "image_std": _HALF, "resample": resample, "size": size} | more


#: Processors that do nothing but resize, crop, rescale, normalise (and pad), by their first name.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "Beit": _plain(224, _BICUBIC, crop_size={"height": 224, "width": 224}),
    "Bit": _CLIP,
    "CLIP": _CLIP,
    "DeiT": _plain(256, _BICUBIC, do_center_crop=True, crop_size={"height": 224, "width": 224}),
    "Detr": _DETR,
    "Siglip": _plain(224, _BICUBIC),
    "ViT": _plain(224, _BILINEAR),
    "Yolos": {**_DETR, "multiple": 16},
}

_CROP = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
_IMAGENET = {"image_mean": _DETR["image_mean"], "image_std": _DETR["image_std"]}


def _frames(edge: int, **more: Any) -> dict[str, Any]:
    return {**_plain(edge, _BILINEAR), "size": {"shortest_edge": edge}, **_CROP, **more}


#: Those of videos, which do this to each frame. `offset` takes one from what was rescaled; with
#: `margin` the size follows from the crop, whatever is written.
_VIDEO_DEFAULTS: dict[str, dict[str, Any]] = {
    "LlavaOnevision": _plain(
        384, _BICUBIC, image_mean=_CLIP["image_mean"], image_std=_CLIP["image_std"]
    ),
    "Timesformer": _frames(224, **_IMAGENET),
    "VideoMAE": _frames(224),
    "Vivit": _frames(256, rescale_factor=1 / 127.5, offset=True),
    "VJEPA2": _frames(292, **_IMAGENET, crop_size={"height": 256, "width": 256}, margin=True),
}


def complete(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings with every default filled in; None for a processor that does more than these."""
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    named = _NAME.fullmatch(kind)
    table = _VIDEO_DEFAULTS if named and named[2] == "VideoProcessor" else _DEFAULTS
    if named is None or named[1] not in table:
        return None
    defaults = table[named[1]]
    given = {name: value for name, value in config.items() if value is not None}
    whole = {
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "do_center_crop": False,
        "multiple": 1,
        **defaults,
        **given,
    }
    whole["offset"] = bool("offset" in defaults and whole["offset"] and whole["do_rescale"])
    whole["size"] = _size(whole["size"], defaults["size"], whole.get("max_size"))
    crop = whole.get("crop_size")
    if isinstance(crop, int):
        whole["crop_size"] = {"height": crop, "width": crop}
    if "margin" in defaults:
        whole["size"] = {"shortest_edge": int(whole["crop_size"]["height"] * 256 / 224)}
    return whole


def _size(size: Any, default: Mapping[str, int], longest: int | None) -> Mapping[str, Any]:
    """An integer, as configurations of 2022 have it, means what the processor's default means."""
    if not isinstance(size, int):
        whole: Mapping[str, Any] = size
        return whole
    if "height" in default:
        return {"height": size, "width": size}
    if "longest_edge" in default:
        return {"shortest_edge": size, "longest_edge": longest or default["longest_edge"]}
    return {"shortest_edge": size}
