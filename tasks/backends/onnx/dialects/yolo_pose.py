"""Dialect yolo-pose: images (B, 3, H, W), values 0 to 1 -> one output (B, 4 + C + M, N), or
(B, N, 6 + M).

A candidate's M numbers are its keypoints: x and y in pixels of the graph's image, and how sure it
is of each where the file says so (`kpt_shape`). Images are letterboxed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....vision.keypoint_detection import Keypoint, KeypointDetectionInput, KeypointDetectionOutput
from ...base import ModelRefused
from ...image.fitting import Fitted
from ..adapter import GraphInfo, has_rank
from ..checks import chances
from ..graph import Shapes
from ..letterbox import unboxed
from ..model import OnnxModel
from ..ultralytics import UltralyticsMetadata
from ..yolo_parts import PartsAdapter

_Floats = NDArray[np.float32]

#: What people's 17 keypoints are called, where the file does not say: COCO's, in its order.
_PERSON = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


class YoloPose(PartsAdapter):
    """A pose estimator as Ultralytics exports it: objects and their keypoints in one look.

    `conf` is the least score of an object whose keypoints are answered.
    """

    dialect: ClassVar[str] = "yolo-pose"
    tasks: ClassVar[tuple[str, ...]] = ("keypoint-detection", "object-detection")
    kind: ClassVar[str] = "pose"

    def __init__(
        self,
        task: Task,
        model: OnnxModel,
        *,
        conf: float = 0.25,
        iou: float | None = None,
        agnostic: bool = False,
        max_det: int | None = None,
    ) -> None:
        super().__init__(task, model, iou=iou, agnostic=agnostic, max_det=max_det)
        if not 0 <= conf <= 1:
            raise ModelRefused(f"conf {conf}: use a number from 0 to 1")
        self._conf = conf
        self._shape = self.written.keypoints or (0, 0)
        self._points = dict(self.written.keypoint_names)
        if not self._points and self._shape[0] == len(_PERSON) and self.names() == {0: "person"}:
            self._points = {0: _PERSON}

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """One output of three axes, as detectors have."""
        return (
            set(inputs) == {"images"}
            and len(outputs) == 1
            and all(has_rank(axes, 3) for axes in outputs.values())
        )

    @classmethod
    def beyond(cls, told: GraphInfo) -> int:
        """As the file says."""
        count, numbers = UltralyticsMetadata.read(told.metadata).keypoints or (0, 0)
        return count * numbers if numbers in (2, 3) else 0

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: _Floats
    ) -> list[TaskOutput | RowError]:
        """Boxes, or the keypoints of each object in turn, the surest object first."""
        if self.task.name != "keypoint-detection":
            return super().answer(inputs, rows, values)
        out = self.graph.read(next(iter(self.graph.outputs)), {self.image_input: values})
        return [
            self._keypoints(row, image, one)
            for row, image, one in zip(inputs, rows, out, strict=True)
        ]

    def _keypoints(self, row: TaskInput, image: Fitted, out: _Floats) -> TaskOutput | RowError:
        assert isinstance(row, KeypointDetectionInput)
        if (row.boxes or [[]])[0]:
            return RowError("boxes: this model searches whole images; leave them out")
        found = self.candidates(out, self._conf, image)
        points = found.more.reshape(-1, *self._shape)  # (Q, K, 2 or 3)
        places = unboxed(points[..., :2], image.image.size, image.size)
        if points.shape[2] == 3:
            scores = chances(points[..., 2], "keypoints' scores")
        else:
            scores = np.repeat(found.scores[:, None], points.shape[1], axis=1)
        return KeypointDetectionOutput(
            keypoints=[
                [
                    Keypoint(
                        label=self._called(int(found.classes[q]), k),
                        score=float(scores[q, k]),
                        x=float(places[q, k, 0]),
                        y=float(places[q, k, 1]),
                        object=q,
                    )
                    for q, k in np.argwhere(scores > row.threshold).tolist()
                ]
            ]
        )

    def _called(self, cls: int, point: int) -> str:
        names = self._points.get(cls, ())
        return names[point] if point < len(names) else f"LABEL_{point}"
