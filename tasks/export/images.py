"""Models that look at images: pixel_values (B, 3, H, W)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from PIL import Image

from ..backends.transformers.vision.depth_estimation import DepthEstimation
from ..backends.transformers.whole import load_whole
from .graphs import LOADING, Axes, Sample, Signature, write

_PIXELS = "pixel_values"


def image_classification(source: str, folder: Path) -> float:
    """Dialect pixel-logits."""
    return _export(source, folder, "AutoModelForImageClassification", {"logits": {0: "batch"}})


def object_detection(source: str, folder: Path) -> float:
    """Dialect transformers-yolos."""
    boxes = {name: {0: "batch", 1: "queries"} for name in ("logits", "pred_boxes")}
    return _export(source, folder, "AutoModelForObjectDetection", boxes)


def depth_estimation(source: str, folder: Path) -> float:
    """Dialect predicted-depth."""
    depth = {"predicted_depth": {0: "batch", 1: "map_height", 2: "map_width"}}
    return _export(source, folder, "AutoModelForDepthEstimation", depth, DepthEstimation.unread)


def image_segmentation(source: str, folder: Path) -> float:
    """Dialect semantic-logits."""
    maps = {"logits": {0: "batch", 2: "map_height", 3: "map_width"}}
    return _export(source, folder, "AutoModelForSemanticSegmentation", maps)


def _export(
    source: str,
    folder: Path,
    auto_class: str,
    outputs: Mapping[str, Axes],
    unread: Sequence[str] = (),
) -> float:
    model, _ = load_whole(auto_class, source, unread, **LOADING)
    processor = hf.AutoImageProcessor.from_pretrained(source, trust_remote_code=False)
    sample, axes = pixels(processor)
    for part in (model.config, processor):
        part.save_pretrained(folder)
    signature = Signature(sample=sample, inputs={_PIXELS: axes}, outputs=outputs)
    return write(folder / "model.onnx", model, signature)


def pixels(processor: Any) -> tuple[Sample, Axes]:
    """Noise of the size that a processor makes, and the axes that may differ: all but the colours,
    where the size follows the image.
    """
    high, wide = (_size(processor, size) for size in ((480, 640), (640, 480)))
    free = high != wide

    def sample(rows: int) -> dict[str, torch.Tensor]:
        height, width = high if rows > 1 else wide
        generator = torch.Generator().manual_seed(rows)
        return {_PIXELS: torch.randn(rows, 3, height, width, generator=generator)}

    return sample, {0: "batch", 2: "height", 3: "width"} if free else {0: "batch"}


def _size(processor: Any, size: tuple[int, int]) -> tuple[int, int]:
    shape = processor(images=[Image.new("RGB", size)], return_tensors="pt")[_PIXELS].shape
    return int(shape[-2]), int(shape[-1])
