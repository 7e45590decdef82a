from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....labels import ClassificationResult
from ....vision.zero_shot_image_classification import (
    ZeroShotImageClassificationInput,
    ZeroShotImageClassificationOutput,
)
from ...classify import sigmoid, softmax
from ...sizes import Size
from ...text.cut import with_truncation
from ..multimodal.side_texts import SideTexts
from ..tokenizer import load_tokenizer
from .base import Tensors, VisionBackend


class ZeroShotImageClassification(VisionBackend):
    """CLIP, SigLIP and their kin: images and sentences in one space.

    Rows with labels of their own share a forward. The model gets the union of their sentences, and
    a row's scores come from its own columns: a sentence's vector does not depend on the others.
    """

    auto_class = "AutoModelForZeroShotImageClassification"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer."""
        super().load_processor()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        # SigLIP was trained on sentences padded to 64 tokens, and scores each label by itself.
        self._alone = "siglip" in self.model.config.model_type
        text = getattr(self.model.config, "text_config", self.model.config)
        positions = 64 if self._alone else getattr(text, "max_position_embeddings", 512)
        padding = "max_length" if self._alone else True
        self._texts = SideTexts(self.tokenizer, positions, padding=padding)

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # sizes matter to detection only
        tensors: Tensors,
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel_values: (B, 3, H, W), sentences: (U, T) -> logits: (B, U)."""
        rows = [_sentences(row) for row in inputs]
        union = {
            sentence: i for i, sentence in enumerate(dict.fromkeys(s for r in rows for s in r))
        }
        encoded, lost = self._texts(list(union))
        with self.forward():
            out = self.model(**self.to_device({**tensors, **encoded}))
            logits = out.logits_per_image.float().cpu().numpy()
        own = [logits[n, [union[s] for s in row]] for n, row in enumerate(rows)]
        scores = [sigmoid(row) if self._alone else softmax(row) for row in own]
        return [
            with_truncation(row, _ranked(row, values), [lost[sentence] for sentence in own])
            for row, own, values in zip(inputs, rows, scores, strict=True)
        ]


def _sentences(row: TaskInput) -> list[str]:
    assert isinstance(row, ZeroShotImageClassificationInput)
    return [row.hypothesis_template.replace("{}", label) for label in row.candidate_labels]


def _ranked(row: TaskInput, scores: Any) -> ZeroShotImageClassificationOutput:
    assert isinstance(row, ZeroShotImageClassificationInput)
    results = [
        ClassificationResult(label=row.candidate_labels[i], score=float(scores[i]))
        for i in np.argsort(-scores, kind="stable")
    ]
    return ZeroShotImageClassificationOutput(results=[results])
