from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...vision.object_detection import BoundingBox, DetectedObject, ObjectDetectionOutput
from .vision import VisionBackend


class ObjectDetection(VisionBackend):
    """Boxes of an AutoModelForObjectDetection: DETR and its kin, YOLOS."""

    default_model = "facebook/detr-resnet-50"
    auto_class = "AutoModelForObjectDetection"

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows; where a model cannot mask padding, one per size."""
        decoded = self.decoded(batch)
        found: dict[int, ObjectDetectionOutput] = {}
        for rows in self._same_size(decoded.rows):
            images = [decoded.rows[i] for i in rows]
            for i, objects in zip(rows, self._detect(images), strict=True):
                threshold = decoded.inputs[i].threshold  # type: ignore[attr-defined] # its own Input
                found[i] = self._output(objects, threshold)
        return decoded.answers([found[i] for i in range(len(decoded.rows))])

    def _same_size(self, images: Sequence[Image.Image]) -> list[list[int]]:
        """Rows that may share a forward. Padding is harmless where the model takes a mask."""
        if self._fixed_size() or "pixel_mask" in self.processor.model_input_names:
            return [list(range(len(images)))] if images else []
        sizes: dict[tuple[int, int], list[int]] = {}
        for row, image in enumerate(images):
            sizes.setdefault(image.size, []).append(row)
        return list(sizes.values())

    def _fixed_size(self) -> bool:
        size: Any = getattr(self.processor, "size", None) or {}
        return "height" in size and "width" in size

    def _detect(self, images: Sequence[Image.Image]) -> list[dict[str, torch.Tensor]]:
        tensors = self.tensors(images)
        with self.forward():
            outputs = self.model(**tensors)
            sizes = torch.tensor([(image.height, image.width) for image in images])
            # Threshold 0 here: rows of one batch may want different ones.
            found = self.processor.post_process_object_detection(
                outputs, threshold=0.0, target_sizes=sizes
            )
        return [{name: tensor.float().cpu() for name, tensor in row.items()} for row in found]

    def _output(self, found: dict[str, torch.Tensor], threshold: float) -> ObjectDetectionOutput:
        labels = self.model.config.id2label
        order = torch.argsort(found["scores"], descending=True, stable=True)
        kept = [int(i) for i in order if found["scores"][i] > threshold]
        return ObjectDetectionOutput(
            detections=[
                [
                    DetectedObject(
                        label=labels.get(int(found["labels"][i]), str(int(found["labels"][i]))),
                        score=float(found["scores"][i]),
                        box=_box(found["boxes"][i].tolist()),
                    )
                    for i in kept
                ]
            ]
        )


def _box(corners: list[float]) -> BoundingBox:
    return BoundingBox(xmin=corners[0], ymin=corners[1], xmax=corners[2], ymax=corners[3])
