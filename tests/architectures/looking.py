"""Image processors of small pictures."""

from __future__ import annotations

import inspect
from typing import Any

import transformers
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

from .sizes import EDGE

#: Types that share another's processor, as their documentation says.
_SHARED = {
    "d_fine": "rt_detr",
    "dab-detr": "conditional_detr",
    "dinov2_with_registers": "dinov2",
    "dinov3_convnext": "dinov3_vit",
    "edgetam_video": "sam2",
    "hgnet_v2": "rt_detr",
    "mlcd_vision_model": "clip",
    "rt_detr_v2": "rt_detr",
    "siglip_vision_model": "siglip",
}
_SQUARE = {"height": EDGE, "width": EDGE}


def image_processor(kind: str) -> Any:
    """A type's image processor, of those that need no torchvision. Raises ImportError."""
    named = IMAGE_PROCESSOR_MAPPING_NAMES.get(_SHARED.get(kind, kind)) or {"pil": "ViT"}
    if "pil" not in named:
        raise ImportError(f"{kind} needs torchvision")
    name = named["pil"] if named["pil"] != "ViT" else "ViTImageProcessorPil"
    cls = getattr(transformers, name)
    plain = cls().to_dict()
    sizes = {
        field: small
        for field in ("size", "crop_size", "pad_size")
        if (small := _small(plain.get(field)))
    }
    takes = inspect.signature(cls.__init__).parameters
    if "num_labels" in takes:
        sizes["num_labels"] = 3
    return cls(**sizes)


def _small(size: Any) -> Any:
    """A size of the same form; None for none, and for what is no size of pixels."""
    if not isinstance(size, dict):
        return None
    known = {key: edge for key, edge in size.items() if edge}
    if {*known} == {"height", "width"}:
        return _SQUARE
    small = {"shortest_edge": EDGE, "longest_edge": EDGE + EDGE // 2}
    return {key: small[key] for key in known if key in small} or None
