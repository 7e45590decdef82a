from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....vision.video_classification import VideoClassificationInput
from ...base import ModelRefused
from ...classify import classification, probabilities
from ...image.pixels import Pixels
from ...image.videos import open_video
from ...rows import Decoded, alike
from ..whole import find_file
from .images import ImagesBackend

#: Where a folder says what is done to a frame, in the order in which transformers asks.
_FILES = ("processor_config.json", "video_preprocessor_config.json", "preprocessor_config.json")

#: What a type's processor is where its folder does not say: transformers' own table of them is
#: empty without torchvision.
_USUAL = {
    "timesformer": "TimesformerVideoProcessor",
    "videomae": "VideoMAEVideoProcessor",
    "vivit": "VivitVideoProcessor",
    "vjepa2": "VJEPA2VideoProcessor",
}

_KINDS = ("video_processor_type", "image_processor_type", "feature_extractor_type")


class Clip(NamedTuple):
    """The frames of a row that the model looks at, and what is to be said of them."""

    frames: list[Image.Image]
    warning: str


class VideoClassification(ImagesBackend):
    """The labels of an AutoModelForVideoClassification.

    Each frame is made ready as a picture, so that no torchvision is needed.
    """

    auto_class = "AutoModelForVideoClassification"
    pixels: Pixels
    #: Frames that the model was trained on.
    own_count: int

    def load_processor(self) -> None:
        """Read what is done to a frame. Raises ModelRefused where that is more than is known."""
        config = self.model.config
        self.own_count = getattr(config, "num_frames", None) or config.frames_per_clip
        given = self._read_settings()
        kind = _kind_of(given, config.model_type)
        pixels = Pixels.from_config({**given, "image_processor_type": kind})
        if pixels is None:
            raise ModelRefused(
                f"{self.source}: a {kind} does more to a frame than resize, crop and normalise it, "
                "or names its sizes in a way that is not known here; see the settings in its folder"
            )
        self.pixels = pixels

    def _read_settings(self) -> dict[str, Any]:
        for name in _FILES:
            path = find_file(str(self.source), name, self._revision)
            if path is None:
                continue
            settings = json.loads(Path(path).read_text(encoding="utf-8"))
            settings = settings.get("video_processor") if name == _FILES[0] else settings
            if settings:
                return dict(settings)
        raise ModelRefused(f"{self.source}: the folder holds no {_FILES[2]}, which this task needs")

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows of one count of frames."""
        decoded = Decoded(batch, self._decode)
        found: dict[int, TaskOutput | RowError] = {}
        for group in alike((len(row.frames), row.frames[0].size) for row in decoded.rows):
            clips = [decoded.rows[i] for i in group]
            answers = self._answer([decoded.inputs[i] for i in group], clips)
            found.update(zip(group, answers, strict=True))
        return decoded.answers([found[i] for i in range(len(decoded.rows))])

    def _decode(self, row: TaskInput) -> Clip:
        assert isinstance(row, VideoClassificationInput)
        video = open_video(row.videos[0], self._max_pixels, self.task.max_row_cost)
        count = row.num_frames or self.own_count
        wanted = chosen_frames(video.count, count, row.frame_sampling_rate)
        frames = [self.pixels.fit(image) for image in video.frames(wanted)]
        repeated = (
            f"the video has {video.count} frames where the model looks at {count}: "
            "some were shown to it more than once"
        )
        return Clip(frames, repeated if video.count < count else "")

    def _answer(
        self, inputs: Sequence[TaskInput], clips: Sequence[Clip]
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel values: (B, frames, 3, H, W) -> logits: (B, labels)."""
        count = len(clips[0].frames)
        values = np.stack([self.pixels.normalise(clip.frames) for clip in clips])
        tensors = {self.model.main_input_name: torch.from_numpy(values)}
        try:
            with self.forward():
                logits = self.model(**self.to_device(tensors)).logits.float().cpu().numpy()
        except (RuntimeError, ValueError):
            if count == self.own_count:
                raise
            return [RowError(f"num_frames: the model takes {self.own_count}, not {count}")] * len(
                clips
            )
        config = self.model.config
        logits = logits.reshape(len(clips), -1)  # VideoPrism's are (B, 1, labels)
        scores = probabilities(logits, getattr(config, "problem_type", None))
        return [
            classification(self.task, row, own, config.id2label).warned(clip.warning)
            for row, clip, own in zip(inputs, clips, scores, strict=True)
        ]


def chosen_frames(count: int, wanted: int, rate: int | None) -> list[int]:
    """Numbers of the frames to look at, rising. Raises RowError for a video that ends before.

    Without a rate they are spread as transformers' video processors do; with one as its pipeline
    does over an image processor.
    """
    if rate is None:
        return [i * count // wanted for i in range(wanted)]
    end = wanted * rate - 1
    found = np.linspace(0, end, num=wanted, dtype=np.int64).tolist()
    if found[-1] >= count:
        raise RowError(
            f"frame_sampling_rate: {wanted} frames at a rate of {rate} are of the first "
            f"{end + 1}, and the video has {count}"
        )
    return list(found)


def _kind_of(settings: dict[str, Any], model_type: str) -> str:
    """The video processor that a folder asks for, be it by the name of an older one."""
    named = next((str(settings[name]) for name in _KINDS if settings.get(name)), "")
    named = re.sub(r"(ImageProcessor|FeatureExtractor)(Fast|Pil)?$", "VideoProcessor", named)
    return named or _USUAL.get(model_type, model_type)
