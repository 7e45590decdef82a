"""Processors of videos, written to a folder: those that need torchvision by their settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers.models.vivit.image_processing_vivit import VivitImageProcessor

from .looking import image_processor
from .sizes import EDGE

_SQUARE = {"height": EDGE, "width": EDGE}

#: What is done to each frame, in the words of preprocessor_config.json.
SETTINGS: dict[str, dict[str, Any]] = {
    "videoprism_vision_model": {
        "video_processor_type": "LlavaOnevisionVideoProcessor",
        "do_normalize": False,
        "size": _SQUARE,
    },
    "vjepa2": {"video_processor_type": "VJEPA2VideoProcessor", "crop_size": _SQUARE},
}


def write_video_processor(kind: str, folder: Path) -> None:
    """Write a type's processor, of small frames. Raises ImportError where none is known."""
    if kind in SETTINGS:
        (folder / "video_preprocessor_config.json").write_text(json.dumps(SETTINGS[kind]))
    elif kind == "vivit":
        size = {"shortest_edge": EDGE + 8}
        VivitImageProcessor(size=size, crop_size=_SQUARE).save_pretrained(folder)
    else:
        image_processor(kind).save_pretrained(folder)
