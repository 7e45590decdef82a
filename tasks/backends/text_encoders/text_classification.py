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
from ..text.cut import with_truncation
from .reader import Read, Reading


class TextClassification(Reading):
    """The labels of a sequence classifier."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts and pairs of all rows together."""
        rows = cast("Sequence[TextClassificationInput]", batch)
        read = self._read(rows)
        found = self.reader.logits([text.tokens for text in read])  # (labels,) each
        answers: list[TaskOutput | RowError] = []
        for row, text, own in zip(rows, read, found, strict=True):
            output = classification(self.task, row, self._scores(row, own), self.reader.labels)
            answers.append(with_truncation(row, output, [text.cut]))
        return answers

    def _read(self, rows: Sequence[TextClassificationInput]) -> list[Read]:
        """Tokenize texts and pairs; a batch may hold both."""
        found: dict[int, Read] = {}
        for group in alike(row.text_pairs is None for row in rows):
            own = [rows[i] for i in group]
            pairs = [row.text_pairs[0] for row in own if row.text_pairs]
            read = self.read(own, [row.texts[0] for row in own], pairs or None)
            found.update(zip(group, read, strict=True))
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
