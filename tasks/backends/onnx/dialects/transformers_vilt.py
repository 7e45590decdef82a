"""Dialect transformers-vilt: input_ids, token_type_ids and, if the graph wants it, attention_mask
(B, T), pixel_values (B, 3, H, W), pixel_mask (B, H, W) -> logits (B, answers).

Each answer to a question about an image has a probability of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....multimodal.visual_question_answering import VisualAnswer, VisualQuestionAnsweringOutput
from ...classify import sigmoid
from ...image.fitting import Fitted
from ...text.cut import with_truncation
from ..adapter import has_rank
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel
from ..texts import Texts

_NEEDED = {"input_ids", "pixel_values", "pixel_mask", "token_type_ids"}


class TransformersVilt(ImageAdapter):
    """ViLT with a head of answers."""

    dialect: ClassVar[str] = "transformers-vilt"
    tasks: ClassVar[tuple[str, ...]] = ("visual-question-answering",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self.texts = Texts(model)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and two axes."""
        return asks(inputs, outputs, _NEEDED)

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # sizes matter to detection only
        values: NDArray[np.float32],
    ) -> list[TaskOutput | RowError]:
        """One run; the questions of a batch may differ."""
        questions = [row.question for row in inputs]  # type: ignore[attr-defined] # its own Input
        # Images of a group are of one size: none is padded, and no answer depends on another row.
        arrays = {**self.masked(values), **self.texts.arrays(questions)}
        scores = sigmoid(self.graph.read("logits", arrays))
        labels = self.model.labels(scores.shape[-1])
        return [
            with_truncation(row, _likeliest(row, s, labels), [cut])
            for row, s, cut in zip(inputs, scores, self.texts.lost(questions), strict=True)
        ]


def asks(inputs: Shapes, outputs: Shapes, needed: Set[str]) -> bool:
    """Whether a graph takes what is needed, and perhaps a mask, and scores answers."""
    return (
        {*inputs} - {"attention_mask"} == needed
        and "logits" in outputs
        and has_rank(outputs["logits"], 2)
    )


def _likeliest(
    row: TaskInput, scores: NDArray[np.float32], labels: Mapping[int, str]
) -> TaskOutput:
    top_k: int = getattr(row, "top_k", 1)
    best = np.argsort(-scores, kind="stable")[:top_k]
    found = [VisualAnswer(answer=labels[int(i)], score=float(scores[i])) for i in best]
    return VisualQuestionAnsweringOutput(results=[found])
