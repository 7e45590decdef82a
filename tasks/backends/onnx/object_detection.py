"""Dialects transformers-yolos (pixel_values) and transformers-detr (images): logits (B, Q, C + 1)
and pred_boxes (B, Q, 4), boxes as centre, width and height relative to the image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..classify import softmax
from ..detect import corners, detection
from ..vision import Fitted, run_fitted
from .vision import OnnxVisionBackend

_MASK = "pixel_mask"


class ObjectDetection(OnnxVisionBackend):
    """Boxes of a graph whose last class is 'no object'."""

    def load_processor(self) -> None:
        """Read the preprocessor's settings."""
        self._input = "images" if "images" in self.input_names else "pixel_values"
        self.require({self._input}, {"logits", "pred_boxes"}, optional=frozenset({_MASK}))
        self.pixels = self.read_pixels(self._input)

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all readable rows of a size."""
        return run_fitted(batch, self.pixels, self.max_pixels, self._answer)

    def _answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> list[TaskOutput]:
        arrays: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {self._input: values}
        if _MASK in self.input_names:
            arrays[_MASK] = np.ones((len(values), *values.shape[2:]), dtype=np.int64)
        out, labels = self.forward(arrays), self.labels()
        scores = softmax(out["logits"])[..., :-1]  # the last class is 'no object'
        best, sure = scores.argmax(axis=-1), scores.max(axis=-1)  # (B, Q)
        return [
            detection(
                self.task, row, sure[i], best[i], corners(out["pred_boxes"][i], image.size), labels
            )
            for i, (row, image) in enumerate(zip(inputs, rows, strict=True))
        ]
