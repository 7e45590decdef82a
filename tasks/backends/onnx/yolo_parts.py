"""What the adapters share whose YOLO tells more of an object than its box."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import BackendError
from ...base import Task, TaskInput
from ..base import ModelRefused
from ..image.fitting import Fitted
from .adapter import GraphInfo
from .checks import chances
from .detection import Objects
from .letterbox import unboxed
from .model import OnnxModel
from .suppression import Suppression
from .ultralytics import UltralyticsMetadata, class_count
from .yolo import Candidates, UltralyticsAdapter, check_pixels, final, survivors

_Floats = NDArray[np.float32]

_IOU = 0.7
_MAX_DET = 300


class PartsAdapter(UltralyticsAdapter):
    """A graph whose candidates have numbers behind their classes', of the task that its file tells.

    Candidates are raw, (B, 4 + C + M, N), and suppressed here, or (B, N, 6 + M) and final. `iou`,
    `agnostic` and `max_det` as for yolov8.
    """

    #: What Ultralytics calls what the graph does.
    kind: ClassVar[str]

    def __init__(
        self,
        task: Task,
        model: OnnxModel,
        *,
        iou: float | None = None,
        agnostic: bool = False,
        max_det: int | None = None,
    ) -> None:
        super().__init__(task, model)
        told = GraphInfo(self.graph.inputs, self.graph.outputs, model.config, self.graph.metadata)
        self.more = self.beyond(told)
        self.final = _form(told, self.more) == "final"
        if self.final and (iou is not None or agnostic or max_det is not None):
            raise ModelRefused(
                "iou, agnostic and max_det are of no use: the graph suppresses by itself"
            )
        self.suppression = Suppression(
            _IOU if iou is None else iou, agnostic, _MAX_DET if max_det is None else max_det
        )

    @classmethod
    def misfit(cls, told: GraphInfo, *, named: bool) -> str:
        """By the file's task, and the widths of its first output."""
        task = UltralyticsMetadata.read(told.metadata).task
        if task != cls.kind:
            return f"the file says {f'that its task is {task!r}' if task else 'no task'}"
        more = cls.beyond(told)
        if not more:
            return "the file does not say how many keypoints an object has (kpt_shape)"
        if not _form(told, more):
            count = class_count(UltralyticsMetadata.read(told.metadata), told.config)
            classes = "no class names" if count is None else f"{count} class names"
            return f"the widths of the output fit no YOLO of {classes} and {more} numbers more"
        return super().misfit(told, named=named)

    @classmethod
    @abstractmethod
    def beyond(cls, told: GraphInfo) -> int:
        """How many numbers a candidate has behind those of its classes; 0 where nothing tells."""

    def candidates(self, out: _Floats, threshold: float, row: Fitted) -> Candidates:
        """What a row's output says; candidates above the threshold."""
        edge = max(row.image.size)
        if self.final:
            check_pixels(out[out[:, 4] > 0, :4], edge)
            return final(out, self.classes, threshold, self.more)
        classes = out.shape[0] - 4 - self.more
        if classes < 1 or self.classes not in (None, classes):
            raise BackendError(f"the graph gives {list(out.shape)}: {classes} classes, not its own")
        check_pixels(out[:2].T, edge)
        scores = chances(out[4 : 4 + classes].T)
        return survivors(out.T, scores, threshold, self.suppression, self.more)

    def find(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: _Floats
    ) -> list[Objects]:
        """The boxes alone."""
        found = []
        out = self.graph.read(next(iter(self.graph.outputs)), {self.image_input: values})
        for one, row, image in zip(out, inputs, rows, strict=True):
            candidates = self.candidates(one, getattr(row, "threshold", 0.5), image)
            boxes = unboxed(candidates.boxes, image.image.size, image.size)
            found.append(Objects(candidates.scores, candidates.classes, boxes))
        return found


def _form(told: GraphInfo, more: int) -> Literal["raw", "final", ""]:
    """How candidates come in the first output; empty where its widths fit neither way."""
    written = UltralyticsMetadata.read(told.metadata)
    classes = class_count(written, told.config)
    first, last = (*next(iter(told.outputs.values()))[1:], None, None)[:2]
    raw = classes is None or not isinstance(first, int) or first == 4 + classes + more
    if written.end2end is not True and raw:
        return "raw"
    final = not isinstance(last, int) or last == 6 + more
    return "final" if written.end2end is not False and final else ""
