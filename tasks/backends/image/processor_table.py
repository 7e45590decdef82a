"""Transformers' processors that do nothing but resize, crop, pad, rescale and normalise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

_BILINEAR, _BICUBIC = Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
_HALF = (0.5, 0.5, 0.5)
_IMAGENET = {"image_mean": (0.485, 0.456, 0.406), "image_std": (0.229, 0.224, 0.225)}
_OPENAI = {
    "image_mean": (0.48145466, 0.4578275, 0.40821073),
    "image_std": (0.26862954, 0.26130258, 0.27577711),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What a processor of a kind does: the settings that a file may leave unsaid, and more."""

    defaults: Mapping[str, Any]
    #: How its sizes are read, by name in `edges.py`.
    rule: str = "plain"
    #: How it pads, by name in `edges.py`; "" where it does not, whatever is written.
    pads: str = "to size"
    #: Settings that it does not look at, as they always are.
    always: Mapping[str, Any] = field(default_factory=dict)
    #: The setting that takes one from what was rescaled.
    offset: str = ""
    #: The setting that divides by `image_std` once more.
    twice: str = ""
    #: Settings that make it do more than is known here.
    unless: tuple[str, ...] = ()


def _square(edge: int) -> dict[str, int]:
    return {"height": edge, "width": edge}


def _to(edge: int, resample: Image.Resampling, **more: Any) -> dict[str, Any]:
    size = _square(edge)
    return {"image_mean": _HALF, "image_std": _HALF, "resample": resample, "size": size} | more


def _shortest(edge: int, resample: Image.Resampling, **more: Any) -> dict[str, Any]:
    return _to(edge, resample, size={"shortest_edge": edge}) | more


def _cropped(edge: int) -> dict[str, Any]:
    return {"do_center_crop": True, "crop_size": _square(edge)}


_WHOLE = {"do_center_crop": False}
_CLIP = Known(_shortest(224, _BICUBIC, **_OPENAI, **_cropped(224)))
_BOUNDED = {"shortest_edge": 800, "longest_edge": 1333}
_DETR = Known(
    _to(0, _BILINEAR, **_IMAGENET, size=_BOUNDED, do_pad=True),
    pads="with a mask",
    always=_WHOLE,
)
_MASKFORMER = replace(
    _DETR,
    defaults={**_DETR.defaults, "size_divisor": 32},
    rule="divided",
    always={**_WHOLE, "do_pad": True},
)
_DPT = Known(
    _to(384, _BICUBIC, keep_aspect_ratio=False, ensure_multiple_of=1),
    rule="constrained",
    pads="around",
    always=_WHOLE,
)

#: By the first part of their classes' names.
KNOWN: dict[str, Known] = {
    "Beit": Known(_to(224, _BICUBIC, crop_size=_square(224)), pads=""),
    "Bit": _CLIP,
    "Blip": Known(_to(384, _BICUBIC, **_OPENAI)),
    "BridgeTower": Known(
        _shortest(288, _BICUBIC, **_OPENAI, size_divisor=32)
        | {"do_center_crop": True, "crop_size": {"shortest_edge": 288}},
        rule="divisible",
        pads="",
    ),
    "CLIP": _CLIP,
    "Chameleon": Known(
        _shortest(512, Image.Resampling.LANCZOS, rescale_factor=0.0078, **_cropped(512))
        | {"image_mean": (1.0, 1.0, 1.0), "image_std": (1.0, 1.0, 1.0)}
    ),
    "ChineseCLIP": _CLIP,
    "ConditionalDetr": _DETR,
    "ConvNext": Known(
        _shortest(384, _BICUBIC, crop_pct=224 / 256), rule="cropped or warped", pads=""
    ),
    "DPT": _DPT,
    "DeformableDetr": _DETR,
    "DeiT": Known(_to(256, _BICUBIC, **_cropped(224))),
    "Detr": _DETR,
    "EfficientNet": Known(
        _to(346, _BICUBIC, crop_size=_square(289), rescale_offset=False, include_top=True),
        pads="",
        offset="rescale_offset",
        twice="include_top",
    ),
    "Eomt": Known(
        _to(0, _BILINEAR, **_IMAGENET, size={"shortest_edge": 640, "longest_edge": 640}),
        pads="below",
        always=_WHOLE,
        unless=("do_split_image",),
    ),
    "Flava": Known(
        _to(224, _BICUBIC, **_OPENAI, **_cropped(224)),
        pads="",
        unless=("return_image_mask", "return_codebook_pixels"),
    ),
    "GLPN": Known(
        _to(0, _BILINEAR, size={}, size_divisor=32, do_normalize=False),
        rule="cut down",
        pads="",
        always=_WHOLE,
    ),
    "GroundingDino": _DETR,
    "Levit": Known(_shortest(224, _BICUBIC, **_IMAGENET, **_cropped(224)), rule="with a margin"),
    "Llava": replace(_CLIP, rule="squared", pads=""),
    "Mask2Former": _MASKFORMER,
    "MaskFormer": _MASKFORMER,
    "MobileNetV1": Known(_shortest(256, _BILINEAR, **_cropped(224))),
    "MobileNetV2": Known(_shortest(256, _BILINEAR, **_cropped(224)), pads=""),
    "MobileViT": Known(
        _shortest(224, _BICUBIC, **_cropped(256), do_flip_channel_order=True),
        pads="",
        always={"do_normalize": False},
    ),
    "OneFormer": replace(_DETR, pads=""),
    "OwlViT": Known(_to(768, _BICUBIC, **_OPENAI, crop_size=_square(768))),
    "PPChart2Table": Known(_to(1024, _BICUBIC, **_OPENAI)),
    "Perceiver": Known(
        _to(224, _BICUBIC, **_IMAGENET, **_cropped(256)), rule="cropped first", pads=""
    ),
    "PoolFormer": Known(
        _shortest(224, _BICUBIC, **_IMAGENET, **_cropped(224), crop_pct=0.9), rule="enlarged"
    ),
    "PromptDepthAnything": _DPT,
    "Pvt": Known(_to(224, _BICUBIC, **_IMAGENET)),
    "RTDetr": replace(
        _DETR,
        defaults={**_DETR.defaults, "size": _square(640), "do_normalize": False, "do_pad": False},
    ),
    "Segformer": Known(_to(512, _BILINEAR, **_IMAGENET), pads="", always=_WHOLE),
    "Siglip": Known(_to(224, _BICUBIC)),
    "SuperPoint": Known(
        _to(0, _BILINEAR, size={"height": 480, "width": 640}),
        pads="",
        always={**_WHOLE, "do_normalize": False},
        unless=("do_grayscale",),
    ),
    "Swin2SR": Known(
        _to(0, _BILINEAR, size={}, do_pad=True, size_divisor=8),
        pads="mirrored",
        always={"do_resize": False, **_WHOLE, "do_normalize": False},
    ),
    "TextNet": Known(
        _shortest(640, _BILINEAR, **_IMAGENET, size_divisor=32, crop_size=_square(224)),
        rule="divided",
        pads="",
    ),
    "ViT": Known(_to(224, _BILINEAR)),
    "Vilt": Known(
        _shortest(384, _BICUBIC, size_divisor=32),
        rule="divisible",
        pads="",
        always=_WHOLE,
    ),
    "Yolos": replace(_DETR, defaults={**_DETR.defaults, "multiple": 16}),
}


def _frames(edge: int, **more: Any) -> dict[str, Any]:
    return _shortest(edge, _BILINEAR, **_cropped(224)) | more


#: Those of videos, which do this to each frame.
KNOWN_OF_VIDEOS: dict[str, Known] = {
    "LlavaOnevision": Known(_to(384, _BICUBIC, **_OPENAI), pads=""),
    "Timesformer": Known(_frames(224, **_IMAGENET), pads=""),
    "VideoMAE": Known(_frames(224), pads=""),
    "Vivit": Known(_frames(256, rescale_factor=1 / 127.5, offset=True), pads="", offset="offset"),
    "VJEPA2": Known(
        _frames(292, **_IMAGENET, crop_size=_square(256)), rule="as the crop wants", pads=""
    ),
}
