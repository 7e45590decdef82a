from __future__ import annotations

from collections.abc import Sequence

import torch

from ....base import TaskInput, TaskOutput
from ...image.detect import detection
from ...sizes import Size
from .base import Tensors, VisionBackend


class ObjectDetection(VisionBackend):
    """Boxes of an AutoModelForObjectDetection: DETR and its kin, YOLOS."""

    auto_class = "AutoModelForObjectDetection"

    def answer(
        self, inputs: Sequence[TaskInput], sizes: Sequence[Size], tensors: Tensors
    ) -> list[TaskOutput]:
        """One forward. pixel_values: (B, 3, H, W) -> the processor's own reading of the boxes."""
        heights_widths = torch.tensor([(height, width) for width, height in sizes])
        with self.forward():
            # Threshold 0 here: rows of one batch may want different ones.
            found = self.processor.post_process_object_detection(
                self.model(**self.to_device(tensors)), threshold=0.0, target_sizes=heights_widths
            )
            rows = [{n: t.float().cpu().numpy() for n, t in row.items()} for row in found]
        labels = self.model.config.id2label
        return [
            detection(
                self.task, row, objects["scores"], objects["labels"], objects["boxes"], labels
            )
            for row, objects in zip(inputs, rows, strict=True)
        ]
