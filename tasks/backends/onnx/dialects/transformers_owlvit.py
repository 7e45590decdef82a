"""Dialect transformers-owlvit: input_ids, attention_mask (B * L, T), pixel_values (B, 3, H, W) ->
logits (B, Q, L), pred_boxes (B, Q, 4): centre, width and height relative to the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...classify import sigmoid
from ...image.detect import corners, detection
from ...image.fitting import Fitted
from ...text.cut import with_truncation
from ..adapter import has_rank
from ..checks import finite
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel
from ..texts import Texts

_NEEDED = {"input_ids", "attention_mask", "pixel_values"}

_Arrays = dict[str, NDArray[Any]]


class TransformersOwlvit(ImageAdapter):
    """OWL-ViT: boxes of what is named."""

    dialect: ClassVar[str] = "transformers-owlvit"
    tasks: ClassVar[tuple[str, ...]] = ("zero-shot-object-detection",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self.texts = Texts(model, to_length=True)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and three axes each."""
        return (
            set(inputs) == _NEEDED
            and {"logits", "pred_boxes"} <= {*outputs}
            and all(has_rank(outputs[name], 3) for name in ("logits", "pred_boxes"))
        )

    def answer(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[np.float32]
    ) -> list[TaskOutput | RowError]:
        """One run; a query that a row lacks is empty, which the model leaves out."""
        named: list[list[str]] = [row.candidate_labels for row in inputs]  # type: ignore[attr-defined] # its own Input
        logits, boxes = self._run(values, named)
        answers: list[TaskOutput | RowError] = []
        for i, (row, labels, image) in enumerate(zip(inputs, named, rows, strict=True)):
            whole = corners(boxes[i], image.size)
            found = self._objects(row, labels, logits[i, :, : len(labels)], whole)
            answers.append(with_truncation(row, found, self.texts.lost(labels)))
        return answers

    def _run(
        self, values: NDArray[np.float32], named: Sequence[Sequence[str]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, Q, most labels), (B, Q, 4)."""
        most = max(map(len, named))
        texts = self.texts.arrays([label for row in named for label in row])
        tokens = texts["input_ids"].shape[1]
        whole: _Arrays = {
            name: np.zeros((len(named), most, tokens), dtype=np.int64) for name in texts
        }
        start = 0
        for i, row in enumerate(named):
            for name, array in texts.items():
                whole[name][i, : len(row)] = array[start : start + len(row)]
            start += len(row)
        images, queries = self.graph.fixed_rows("pixel_values"), self.graph.fixed_rows("input_ids")
        if images is None and queries is None:
            return self._part({**whole, "pixel_values": values})
        return self._row_by_row(values, whole, images or 1, queries)

    def _row_by_row(
        self, values: NDArray[np.float32], whole: _Arrays, images: int, queries: int | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A graph of one image, perhaps of so many queries, is run as often as that takes."""
        if images != 1:
            raise ValueError(f"a graph of {images} images at once is not known here; use 1 or any")
        most = whole["input_ids"].shape[1]
        step = queries or most
        logits, boxes = [], []
        for i in range(len(values)):
            parts = []
            for start in range(0, most, step):
                chosen = np.arange(start, start + step).clip(max=most - 1)
                part = {name: array[i : i + 1, chosen] for name, array in whole.items()}
                parts.append(self._part({**part, "pixel_values": values[i : i + 1]}))
            logits.append(np.concatenate([found for found, _ in parts], axis=-1)[..., :most])
            boxes.append(parts[0][1])
        return np.concatenate(logits), np.concatenate(boxes)

    def _part(self, arrays: _Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        flat = {
            name: array if name == "pixel_values" else array.reshape(-1, array.shape[-1])
            for name, array in arrays.items()
        }
        out = self.graph.run(flat)
        return finite(out["logits"], "logits"), finite(out["pred_boxes"], "pred_boxes")

    def _objects(
        self,
        row: TaskInput,
        labels: Sequence[str],
        logits: NDArray[np.float32],
        boxes: NDArray[np.float32],
    ) -> TaskOutput:
        best = logits.argmax(axis=-1)  # (Q,)
        scores = sigmoid(logits.max(axis=-1))
        return detection(self.task, row, scores, best, boxes, dict(enumerate(labels)))
