from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....media.decode import decode
from ....vision.keypoint_detection import Keypoint, KeypointDetectionInput, KeypointDetectionOutput
from ...rows import Decoded, check_entries
from ...sizes import Size
from .base import Tensors, VisionBackend

#: What SuperPoint's keypoints are called: they are places worth finding again, nothing more.
_POINT = "keypoint"

_Boxes = list[list[float]]


class Posed(NamedTuple):
    """A row for a pose estimator: a part of the image per box, each (1, 3, H, W), and its boxes."""

    pixel_values: list[torch.Tensor]
    boxes: _Boxes  # left, top, width, height


class KeypointDetection(VisionBackend):
    """VitPose, which looks at boxes, and SuperPoint, which looks at images.

    All boxes of all rows go through one forward. `dataset_index` picks the expert of a VitPose+.
    """

    auto_class = "AutoModelForPoseEstimation"

    def __init__(self, *given: Any, dataset_index: int = 0, **parameters: Any) -> None:
        super().__init__(*given, **parameters)  # the base's own
        self._dataset_index = dataset_index
        self._poses = True

    def load(self) -> None:
        """Load the model, whichever kind it is."""
        config = self.read_config()
        self._poses = any("PoseEstimation" in name for name in config.architectures or ())
        if not self._poses:
            self.auto_class = "AutoModelForKeypointDetection"
        elif importlib.util.find_spec("scipy") is None:
            raise ModuleNotFoundError("pose estimation needs scipy: pip install scipy")
        super().load()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows."""
        return self._run_poses(batch) if self._poses else super().run(batch)

    def answer(
        self, inputs: Sequence[TaskInput], sizes: Sequence[Size], tensors: Tensors
    ) -> list[TaskOutput | RowError]:
        """Points of interest, as SuperPoint finds them. pixel_values: (B, 3, H, W)."""
        with self.forward():
            out = self.model(**self.to_device(tensors))
            # (B, K, 2) as fractions of the image, (B, K), and which of the K are real.
            places, scores, real = (
                values.float().cpu() for values in (out.keypoints, out.scores, out.mask)
            )
        check_entries({"keypoints": places}, len(inputs))
        answers: list[TaskOutput | RowError] = []
        for n, (row, size) in enumerate(zip(inputs, sizes, strict=True)):
            if (row.boxes or [[]])[0]:  # type: ignore[attr-defined] # its own Input
                answers.append(RowError("boxes: this model searches whole images; leave them out"))
                continue
            found = real[n] > 0
            points = places[n][found] * torch.tensor(size)
            answers.append(_answer(row, [(points, scores[n][found], [_POINT] * len(points))]))
        return answers

    def _run_poses(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        decoded = Decoded(batch, self._pose)
        parts = [part for row in decoded.rows for part in row.pixel_values]
        if not parts:
            return decoded.answers([])
        tensors = {"pixel_values": torch.cat(parts)}
        if getattr(self.model.config.backbone_config, "num_experts", 1) > 1:
            tensors["dataset_index"] = torch.full((len(parts),), self._dataset_index)
        with self.forward():
            out = self.model(**self.to_device(tensors))
            out.heatmaps = out.heatmaps.float().cpu()  # (N, K, h, w)
        found = self.processor.post_process_pose_estimation(
            out, boxes=[row.boxes for row in decoded.rows]
        )
        names = self.model.config.id2label
        return decoded.answers(
            [
                _answer(row, [_pose(pose, names) for pose in poses])
                for row, poses in zip(decoded.inputs, found, strict=True)
            ]
        )

    def _pose(self, row: TaskInput) -> Posed:
        assert isinstance(row, KeypointDetectionInput)
        image = decode(row.images[0], self._max_pixels, row.background)
        boxes = [_within(box, image) for box in (row.boxes or [[]])[0]]
        boxes = boxes or [[0.0, 0.0, float(image.width), float(image.height)]]
        values = self.processor(images=[image], boxes=[boxes], return_tensors="pt")
        check_entries({"pixel_values": values["pixel_values"]}, len(boxes))
        return Posed(list(values["pixel_values"].split(1)), boxes)


def _within(box: list[float], image: Image.Image) -> list[float]:
    """Corners -> left, top, width, height. Raises RowError for a box that shows nothing."""
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise RowError(f"box {box} has no area")
    if right <= 0 or bottom <= 0 or left >= image.width or top >= image.height:
        raise RowError(f"box {box} lies outside of an image of {image.width} x {image.height}")
    return [left, top, right - left, bottom - top]


_Object = tuple[torch.Tensor, torch.Tensor, list[str]]  # places (K, 2), scores (K,), names


def _pose(pose: Mapping[str, torch.Tensor], names: Mapping[int, str]) -> _Object:
    labels = [names.get(i, str(i)) for i in pose["labels"].tolist()]
    return pose["keypoints"], pose["scores"], labels


def _answer(row: TaskInput, objects: Sequence[_Object]) -> TaskOutput:
    assert isinstance(row, KeypointDetectionInput)
    keypoints = [
        Keypoint(label=name, score=score, x=x, y=y, object=number)
        for number, (places, scores, names) in enumerate(objects)
        for (x, y), score, name in zip(places.tolist(), scores.tolist(), names, strict=True)
        if score > row.threshold
    ]
    return KeypointDetectionOutput(keypoints=[keypoints])
