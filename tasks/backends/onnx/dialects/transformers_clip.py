"""Dialect transformers-clip: input_ids, attention_mask (L, T), pixel_values (B, 3, H, W) ->
logits_per_image (B, L).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ....labels import ClassificationResult
from ....vision.zero_shot_image_classification import ZeroShotImageClassificationOutput
from ...classify import softmax
from ...image.fitting import Fitted
from ...text.cut import with_truncation
from ..adapter import has_rank
from ..checks import finite
from ..graph import Shapes
from ..images import ImageAdapter
from ..model import OnnxModel
from ..texts import Texts

_NEEDED = {"input_ids", "attention_mask", "pixel_values"}


class TransformersClip(ImageAdapter):
    """CLIP and its kin, of any context length."""

    dialect: ClassVar[str] = "transformers-clip"
    tasks: ClassVar[tuple[str, ...]] = ("zero-shot-image-classification",)

    def __init__(self, task: Task, model: OnnxModel) -> None:
        super().__init__(task, model)
        self.texts = self.read_texts()

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and two axes."""
        return (
            set(inputs) == _NEEDED
            and "logits_per_image" in outputs
            and has_rank(outputs["logits_per_image"], 2)
        )

    def answer(
        self,
        inputs: Sequence[TaskInput],
        rows: Sequence[Fitted],  # noqa: ARG002 # sizes matter to detection only
        values: NDArray[np.float32],
    ) -> list[TaskOutput | RowError]:
        """One run over all images and all their texts, each once; a row reads those it named."""
        sentences = [_sentences(row) for row in inputs]
        texts = list(dict.fromkeys(text for row in sentences for text in row))
        place = {text: index for index, text in enumerate(texts)}
        logits = self.logits(values, self.texts.arrays(texts))
        lost = self.texts.lost(texts)
        answers: list[TaskOutput | RowError] = []
        for row, named, one in zip(inputs, sentences, logits, strict=True):
            at = [place[text] for text in named]
            answers.append(
                with_truncation(row, _answer(row, softmax(one[at])), [lost[i] for i in at])
            )
        return answers

    def read_texts(self) -> Texts:
        """How texts become numbers."""
        return Texts(self.model)

    def logits(
        self, values: NDArray[np.float32], texts: Mapping[str, NDArray[np.int64]]
    ) -> NDArray[np.float32]:
        """(B, L). A graph made for one image or one text runs for each pair of them."""
        images = self._parts(len(values), "pixel_values")
        parts = self._parts(len(texts["input_ids"]), "input_ids")
        return np.concatenate(
            [
                np.concatenate([self._part(values, i, texts, t) for t in parts], axis=1)
                for i in images
            ]
        )

    def _parts(self, count: int, name: str) -> list[NDArray[np.int64]]:
        fixed = self.graph.fixed_rows(name) or count
        return [np.arange(start, start + fixed) for start in range(0, count, fixed)]

    def _part(
        self,
        values: NDArray[np.float32],
        images: NDArray[np.int64],
        texts: Mapping[str, NDArray[np.int64]],
        chosen: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        # The last part is filled up with its last row, and what that adds is dropped again.
        count, total = len(values), len(texts["input_ids"])
        arrays: dict[str, NDArray[Any]] = {
            name: array[chosen.clip(max=total - 1)] for name, array in texts.items()
        }
        arrays["pixel_values"] = values[images.clip(max=count - 1)]
        logits: NDArray[np.float32] = finite(
            self.graph.run(arrays)["logits_per_image"], "logits_per_image"
        )
        return logits[images < count][:, chosen < total]


def _sentences(row: Any) -> list[str]:  # its own Input
    return [row.hypothesis_template.replace("{}", label) for label in row.candidate_labels]


def _answer(row: Any, scores: NDArray[np.float32]) -> TaskOutput:  # its own Input
    found = [
        ClassificationResult(label=row.candidate_labels[i], score=float(scores[i]))
        for i in np.argsort(-scores, kind="stable")
    ]
    return ZeroShotImageClassificationOutput(results=[found])
