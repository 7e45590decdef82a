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
from .reader import Reading, Tokens


class TextClassification(Reading):
    """The labels of a sequence classifier."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts and pairs of all rows together."""
        rows = cast("Sequence[TextClassificationInput]", batch)
        found = self.reader.logits(self._tokens(rows))  # (labels,) each
        return [
            classification(self.task, row, self._scores(row, own), self.reader.labels)
            for row, own in zip(rows, found, strict=True)
        ]

    def _tokens(self, rows: Sequence[TextClassificationInput]) -> list[Tokens]:
        """Tokenize texts and pairs; a batch may hold both."""
        found: dict[int, Tokens] = {}
        for group in alike(row.text_pairs is None for row in rows):
            pairs = [row.text_pairs[0] for i in group if (row := rows[i]).text_pairs]
            sequences = self.reader.tokens([rows[i].texts[0] for i in group], pairs or None)
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
        return probabilities(own, self.reader.problem_type)
