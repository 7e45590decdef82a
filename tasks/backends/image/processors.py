"""What preprocessor_config.json leaves unsaid: each processor's defaults, and its older forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .processor_table import KNOWN, KNOWN_OF_VIDEOS, Known

_NAME = re.compile(r"(\w+?)(ImageProcessor|FeatureExtractor|VideoProcessor)(Fast|Pil)?")


def known(config: Mapping[str, Any]) -> Known | None:
    """What the processor of a file does; None for one that does more than is known here."""
    kind = str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")
    named = _NAME.fullmatch(kind)
    if named is None:
        return None
    found = (KNOWN_OF_VIDEOS if named[2] == "VideoProcessor" else KNOWN).get(named[1])
    if found is None or any(config.get(setting) for setting in found.unless):
        return None
    return found


def complete(config: Mapping[str, Any], processor: Known) -> dict[str, Any]:
    """The settings of a known processor, with every default filled in."""
    defaults = processor.defaults
    # PoolFormer takes an empty one for a word.
    given = {n: value for n, value in config.items() if value is not None or n == "crop_pct"}
    whole = {
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "do_center_crop": False,
        "do_pad": False,
        "multiple": 1,
        **defaults,
        **given,
        **processor.always,
    }
    whole["size"] = _size(whole["size"], defaults["size"], whole.get("max_size"))
    crop = whole.get("crop_size")
    if isinstance(crop, int):
        whole["crop_size"] = {"height": crop, "width": crop}
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
