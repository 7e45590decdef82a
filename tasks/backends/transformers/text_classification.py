from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.text_classification import TextClassificationInput
from ..classify import classification, probabilities, sigmoid, softmax
from ..rows import alike
from .text import TextBackend, Tokens, logits


class TextClassification(TextBackend):
    """The labels of an AutoModelForSequenceClassification."""

    auto_class = "AutoModelForSequenceClassification"

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all rows; those alike in length share a forward."""
        rows = cast("Sequence[TextClassificationInput]", batch)
        found = self.infer(self._tokens(rows), logits)  # (labels,) each
        return [
            classification(self.task, row, self._scores(row, own), self.model.config.id2label)
            for row, own in zip(rows, found, strict=True)
        ]

    def _tokens(self, rows: Sequence[TextClassificationInput]) -> list[Tokens]:
        """Tokenize texts and pairs; a batch may hold both."""
        found: dict[int, Tokens] = {}
        for group in alike(row.text_pairs is None for row in rows):
            pairs = [row.text_pairs[0] for i in group if (row := rows[i]).text_pairs]
            sequences = self.tokens([rows[i].texts[0] for i in group], pairs or None)
            found.update(zip(group, sequences, strict=True))
        return [found[i] for i in range(len(rows))]

    def _scores(
        self, row: TextClassificationInput, own: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        match row.function_to_apply:
            case "sigmoid":
                return sigmoid(own)
            case "softmax":
                return softmax(own)
            case "none":
                return own
        return probabilities(own, getattr(self.model.config, "problem_type", None))
