from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....vision.video_mask_generation import (
    MAX_FRAMES,
    VideoMaskGenerationInput,
    VideoMaskGenerationOutput,
)
from ...image.png import mask_png
from ...image.videos import open_video
from ...rows import Decoded
from ...sizes import Size
from .images import ImagesBackend
from .segment_anything import Canvas

#: Labels of points that are a box's corners.
_CORNERS = (2, 3)


class Video(NamedTuple):
    """A decoded row: frames as the model wants them, and the prompts by frame and object."""

    frames: list[Image.Image]
    size: Size
    prompts: dict[int, dict[int, tuple[torch.Tensor, torch.Tensor]]]
    #: Of a film: when each frame is shown.
    times: Sequence[float]


class Tracked(NamedTuple):
    """A frame's masks as the model made them, small: (objects, h, w) on the CPU."""

    frame: int
    objects: list[int]
    logits: torch.Tensor


class VideoMaskGeneration(ImagesBackend):
    """SAM 2's tracker.

    Videos of a batch are tracked one after the other: each frame needs the memory of those before.
    """

    auto_class = "Sam2VideoModel"
    canvas: Canvas

    def load_processor(self) -> None:
        """Read what the model wants to see."""
        self.canvas = Canvas.from_pretrained(str(self.source), self._revision)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Track every readable row; the device is let go between videos."""
        decoded = Decoded(batch, self._decode)
        return decoded.answers([self._answer(video) for video in decoded.rows])

    def _decode(self, row: TaskInput) -> Video:
        assert isinstance(row, VideoMaskGenerationInput)
        video = open_video(row.videos[0], self._max_pixels, self.task.max_row_cost, row.fps)
        last = max(row.frame_indexes[0])
        if last >= video.count:
            raise RowError(f"frame_indexes: {last} in a video of {video.count} frames")
        if video.count > MAX_FRAMES:
            raise RowError(
                f"the film has {video.count} frames; {MAX_FRAMES} are allowed: take fewer of them "
                "with the parameter fps"
            )
        frames: list[Image.Image] = []
        size: Size = (0, 0)
        for image in video.frames(range(video.count)):
            size = image.size
            frames.append(self.canvas.fit(image))
        return Video(frames, size, self._prompts(row, size), video.times)

    def _prompts(
        self, row: VideoMaskGenerationInput, size: Size
    ) -> dict[int, dict[int, tuple[torch.Tensor, torch.Tensor]]]:
        """Per frame and object points (1, 1, k, 2), labels (1, 1, k). A box comes first, as two."""
        points, boxes = (row.points or [[]])[0], (row.boxes or [[]])[0]
        labels = (row.labels or [[]])[0] or [[1] * len(prompt) for prompt in points]
        spots: dict[int, dict[int, list[tuple[int, float, float]]]] = {}
        for i, (frame, number) in enumerate(
            zip(row.frame_indexes[0], row.objects_ids[0], strict=True)
        ):
            of_object = spots.setdefault(frame, {}).setdefault(number, [])
            if boxes:
                left, top, right, bottom = boxes[i]
                corners = zip(_CORNERS, ((left, top), (right, bottom)), strict=True)
                of_object[:0] = [(label, x, y) for label, (x, y) in corners]
            if points:
                given = zip(labels[i], points[i], strict=True)
                of_object.extend((label, x, y) for label, (x, y) in given)
        return {
            frame: {number: self._tensors(given, size) for number, given in of_frame.items()}
            for frame, of_frame in spots.items()
        }

    def _tensors(
        self, given: list[tuple[int, float, float]], size: Size
    ) -> tuple[torch.Tensor, torch.Tensor]:
        places = self.canvas.scaled(np.array([spot[1:] for spot in given], "f4"), size)
        labels = torch.tensor([spot[0] for spot in given], dtype=torch.int32)
        return torch.from_numpy(places)[None, None], labels[None, None]

    def _answer(self, video: Video) -> TaskOutput:
        with self.forward():
            tracked = {found.frame: found for found in self._track(video)}
        objects, frames, masks = [], [], []
        for frame, found in sorted(tracked.items()):
            for number, logits in zip(found.objects, found.logits, strict=True):
                large = self.canvas.upsampled(logits[None], video.size)[0]
                objects.append(number)
                frames.append(frame)
                masks.append(mask_png((large > 0).numpy()))
        return VideoMaskGenerationOutput(
            objects_ids=[objects],
            frame_indexes=[frames],
            masks=[masks],
            times=[[video.times[frame] for frame in frames] if video.times else []],
        )

    def _track(self, video: Video) -> Iterator[Tracked]:
        """Mark the objects, then follow them: to the end, and from the first mark to the start."""
        session = self._session(video)
        for frame, objects in sorted(video.prompts.items()):
            for number, (points, labels) in objects.items():
                session.add_point_inputs(
                    session.obj_id_to_idx(number),
                    frame,
                    {"point_coords": points.to(self._dtype), "point_labels": labels},
                )
            session.obj_with_new_inputs = list(objects)
            self.model(inference_session=session, frame_idx=frame)
        for reverse in (False, True):
            for out in self.model.propagate_in_video_iterator(session, reverse=reverse):
                yield Tracked(out.frame_idx, out.object_ids, out.pred_masks[:, 0].float().cpu())

    def _session(self, video: Video) -> Any:
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        session: Any = Sam2VideoInferenceSession(
            video_height=video.size[1],
            video_width=video.size[0],
            inference_device=self.place,
            inference_state_device=self.place,
            dtype=self._dtype,
        )
        session.processed_frames = _Frames(video.frames, self.canvas, self._dtype)
        return session


class _Frames(Mapping[int, torch.Tensor]):
    """The session's frames, (3, H, W) each, made when asked for: as floats they are 12 MB each."""

    def __init__(self, images: list[Image.Image], canvas: Canvas, dtype: torch.dtype) -> None:
        self._images, self._canvas, self._dtype = images, canvas, dtype

    def __getitem__(self, frame: int) -> torch.Tensor:
        return self._canvas.tensor([self._images[frame]])[0].to(self._dtype)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._images)))

    def __len__(self) -> int:
        return len(self._images)
