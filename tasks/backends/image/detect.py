"""From a row's scores and boxes to its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base import Task, TaskInput, TaskOutput
from ...boxes import BoundingBox, DetectedObject
from ..sizes import Size


def corners(boxes: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Boxes (Q, 4) from relative centre, width, height to corners in pixels of the image."""
    half = boxes[:, 2:] / 2
    relative = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    pixels = relative * np.array([*size, *size], dtype=np.float32)
    return pixels.astype(np.float32, copy=False)


def detection(
    task: Task,
    row: TaskInput,
    scores: NDArray[np.float32],
    names: NDArray[Any],
    boxes: NDArray[np.float32],
    labels: Mapping[int, str],
) -> TaskOutput:
    """The row's objects above its threshold, surest first.

    scores, names: (Q,); boxes: (Q, 4) as xmin, ymin, xmax, ymax in pixels.
    """
    threshold: Any = getattr(row, "threshold", 0.5)
    order = [q for q in np.argsort(-scores, kind="stable").tolist() if scores[q] > threshold]
    found = [
        DetectedObject(
            label=labels.get(int(names[q]), str(int(names[q]))),
            score=float(scores[q]),
            box=_box(boxes[q].tolist()),
        )
        for q in order
    ]
    return task.output.model_validate({"detections": [found]})


def _box(edges: list[float]) -> BoundingBox:
    return BoundingBox(xmin=edges[0], ymin=edges[1], xmax=edges[2], ymax=edges[3])
