"""Dialects transformers-yolos (pixel_values) and transformers-detr (images): logits (B, Q, C + 1)
and pred_boxes (B, Q, 4), boxes as centre, width and height relative to the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...vision.object_detection import BoundingBox, DetectedObject, ObjectDetectionOutput
from ..classify import softmax
from ..images import decode
from ..pixels import Pixels
from ..rows import Decoded
from .base import OnnxBackend


class ObjectDetection(OnnxBackend):
    """Boxes of a graph whose last class is 'no object'."""

    def load_processor(self) -> None:
        """Read the preprocessor's settings; the graph's own size wins where it is fixed."""
        self._input = "images" if "images" in self.input_names else "pixel_values"
        self.require({self._input}, {"logits", "pred_boxes"})
        config = self.read_json("preprocessor_config.json")
        size = config.get("size") or {}
        if not {"height", "width"} <= set(size):
            size = self._graph_size()
        plain = {**config, "image_processor_type": "ViTImageProcessor", "size": size}
        pixels = Pixels.from_config({**plain, "do_pad": False, "do_center_crop": False})
        assert pixels is not None, "a fixed size is always plain"
        self.pixels = pixels

    def _graph_size(self) -> dict[str, int]:
        shape = next(n.shape for n in self.session.get_inputs() if n.name == self._input)
        if not all(isinstance(edge, int) for edge in shape[2:]):
            raise ValueError(
                f"{self.folder}: neither preprocessor_config.json nor the graph fixes a size"
            )
        return {"height": shape[2], "width": shape[3]}

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all readable rows."""
        decoded = Decoded(batch, lambda row: decode(row.images[0]))  # type: ignore[attr-defined] # its own Input
        if not decoded.rows:
            return decoded.answers([])
        out = self.forward({self._input: self.pixels(decoded.rows)})
        return decoded.answers(
            [
                self._output(row, image.size, logits, boxes)
                for row, image, logits, boxes in zip(
                    decoded.inputs, decoded.rows, out["logits"], out["pred_boxes"], strict=True
                )
            ]
        )

    def _output(
        self, row: TaskInput, size: tuple[int, int], logits: NDArray[Any], boxes: NDArray[Any]
    ) -> ObjectDetectionOutput:
        """One image's objects. logits: (Q, C + 1), boxes: (Q, 4); size: (width, height)."""
        scores = softmax(logits)[:, :-1]  # the last class is 'no object'
        best, sure, names = scores.argmax(axis=1), scores.max(axis=1), self.labels()
        corners = np.concatenate(
            [boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1
        ) * np.array([*size, *size], dtype=np.float32)
        threshold = row.threshold  # type: ignore[attr-defined] # its own Input
        order = [int(q) for q in np.argsort(-sure, kind="stable") if sure[q] > threshold]
        return ObjectDetectionOutput(
            detections=[
                [
                    DetectedObject(
                        label=names.get(int(best[q]), str(best[q])),
                        score=float(sure[q]),
                        box=BoundingBox(
                            **dict(
                                zip(
                                    ("xmin", "ymin", "xmax", "ymax"),
                                    map(float, corners[q]),
                                    strict=True,
                                )
                            )
                        ),
                    )
                    for q in order
                ]
            ]
        )
