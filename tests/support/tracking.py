"""SAM 2's tracker, without Wherry."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession


class Alone:
    """A SAM 2 with one video, all of it as one tensor: driven by hand, without a processor."""

    def __init__(self, folder: Path, video: list[bytes]) -> None:
        images = [Image.open(io.BytesIO(data)).convert("RGB") for data in video]
        self.width, self.height = images[0].size
        small = [np.asarray(i.resize((64, 64), Image.Resampling.BILINEAR)) / 255 for i in images]
        values = (np.stack(small) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        self.session = Sam2VideoInferenceSession(
            video=torch.tensor(values).permute(0, 3, 1, 2).float(),
            video_height=self.height,
            video_width=self.width,
            dtype=torch.float32,
        )
        self.model: Any = hf.Sam2VideoModel.from_pretrained(folder).eval()

    def mark(self, number: int, frame: int, places: list[list[int]], labels: list[int]) -> None:
        """Name an object on a frame: 1 on it, 0 beside it, 2 and 3 a box's corners."""
        scale = torch.tensor([64 / self.width, 64 / self.height])
        given = {
            "point_coords": (torch.tensor(places) * scale)[None, None],
            "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],
        }
        self.session.add_point_inputs(self.session.obj_id_to_idx(number), frame, given)
        self.session.obj_with_new_inputs = [number]
        self.model(inference_session=self.session, frame_idx=frame)

    def masks(self) -> dict[tuple[int, int], np.ndarray[Any, Any]]:
        """By frame and object."""
        found = {}
        for reverse in (False, True):
            for out in self.model.propagate_in_video_iterator(self.session, reverse=reverse):
                large = torch.nn.functional.interpolate(
                    out.pred_masks, (self.height, self.width), mode="bilinear"
                )
                for number, mask in zip(out.object_ids, large[:, 0] > 0, strict=True):
                    found[(out.frame_idx, number)] = mask.numpy()
        return found
