"""Tasks of models that look at videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from transformers.models.vivit.image_processing_vivit import VivitImageProcessor

from ...support.tiny import encode, noise
from ...support.tracking import Alone
from ..sizes import EDGE
from .base import Row, Trial
from .pictures import picture, png


def _frames(count: int, width: int, height: int, seed: int) -> list[bytes]:
    return [encode(noise(width, height, seed + number)) for number in range(count)]


class VideoClassification(Trial):
    """Frames are spread over a video as `default_sample_indices_fn` of transformers does it."""

    rows = (
        {"videos": [_frames(40, 90, 60, 0)]},
        {"videos": [_frames(33, 40, 70, 50)]},
        {"videos": [_frames(71, 64, 64, 100)]},
        {"videos": [_frames(32, 120, 90, 200)]},
    )

    def open(self) -> None:
        auto: Any = transformers.AutoModelForVideoClassification
        self.model: Any = auto.from_pretrained(self.folder).eval()
        kind = self.model.config.model_type
        by_hand = {"videoprism_vision_model": _stretched, "vjepa2": _cropped}
        if kind == "vivit":
            made = VivitImageProcessor.from_pretrained(self.folder)
        else:
            made = by_hand.get(kind) or transformers.AutoImageProcessor.from_pretrained(self.folder)
        self.process: Any = made

    @torch.inference_mode()
    def call(self, row: Row) -> Any:
        (files,) = row["videos"]
        config = self.model.config
        count = getattr(config, "num_frames", None) or config.frames_per_clip
        chosen = [files[i] for i in np.arange(count) * len(files) // count]
        made = self.process([picture({"images": [file]}) for file in chosen], return_tensors="pt")
        scores = self.model(**made).logits.flatten().softmax(-1).tolist()
        return {config.id2label[i]: score for i, score in enumerate(scores)}

    def view(self, answer: Any) -> Any:
        return {one["label"]: one["score"] for one in answer["results"][0]}


class VideoMaskGeneration(Trial):
    """Frames of one tensor: transformers makes the processor for a video with torchvision alone."""

    rows = (
        {
            "videos": [_frames(4, 90, 60, 0)],
            "objects_ids": [[7, 3]],
            "frame_indexes": [[1, 2]],
            "points": [[[[20, 30], [60, 10]], [[70, 40]]]],
            "labels": [[[1, 0], [1]]],
        },
        {
            "videos": [_frames(2, 40, 70, 50)],
            "objects_ids": [[1]],
            "frame_indexes": [[0]],
            "points": [[[[10, 20]]]],
            "labels": [[[1]]],
        },
    )

    def open(self) -> None:
        """Each row opens the model with its own video."""

    def call(self, row: Row) -> Any:
        alone = Alone(Path(self.folder), row["videos"][0])
        prompts = (row[name][0] for name in ("objects_ids", "frame_indexes", "points", "labels"))
        for number, frame, points, labels in zip(*prompts, strict=True):
            alone.mark(number, frame, points, labels)
        found = sorted(alone.masks().items())
        return [[*key, png(mask * np.uint8(255))] for key, mask in found]

    def view(self, answer: Any) -> Any:
        names = ("frame_indexes", "objects_ids", "masks")
        return sorted([*one] for one in zip(*(answer[name][0] for name in names), strict=True))


def _cropped(images: list[Image.Image], **_: Any) -> dict[str, torch.Tensor]:
    """What VJEPA2VideoProcessor does, which cannot be made without torchvision."""
    short = int(EDGE * 256 / 224)
    ready = []
    for image in images:
        scale = short / min(image.size)
        width, height = (short if e == min(image.size) else int(e * scale) for e in image.size)
        left, top = (width - EDGE) // 2, (height - EDGE) // 2
        small = image.resize((width, height), Image.Resampling.BILINEAR)
        values = np.asarray(small.crop((left, top, left + EDGE, top + EDGE))) / 255
        ready.append((values - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
    return _tensor(ready)


def _stretched(images: list[Image.Image], **_: Any) -> dict[str, torch.Tensor]:
    """What LlavaOnevisionVideoProcessor does, likewise."""
    small = [image.resize((EDGE, EDGE), Image.Resampling.BICUBIC) for image in images]
    return _tensor([np.asarray(image) / 255 for image in small])


def _tensor(frames: list[Any]) -> dict[str, torch.Tensor]:
    values = torch.tensor(np.stack(frames)).permute(0, 3, 1, 2)[None].float()
    return {"pixel_values_videos": values}


TRIALS: dict[str, type[Trial]] = {
    "video-classification": VideoClassification,
    "video-mask-generation": VideoMaskGeneration,
}
