from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.feature_extraction import FeatureExtractionInput, FeatureExtractionOutput
from ..text.cut import with_truncation
from .reader import Reading


class FeatureExtraction(Reading):
    """The last hidden state, a vector per token."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts of all rows together."""
        rows = cast("Sequence[FeatureExtractionInput]", batch)
        read = self.read(rows, [row.texts[0] for row in rows])
        found = self.reader.states([text.tokens for text in read])
        # The floats are the model's own: to check each again would take longer than the model.
        outputs = [
            FeatureExtractionOutput.model_construct(
                features=[(_unit(states) if row.normalize else states).tolist()]
            )
            for row, states in zip(rows, found, strict=True)
        ]
        return [
            with_truncation(row, out, [text.cut])
            for row, out, text in zip(rows, outputs, read, strict=True)
        ]


def _unit(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """States (T, D), each at length 1."""
    lengths = np.linalg.norm(states, axis=-1, keepdims=True)
    return states / np.maximum(lengths, 1e-12)  # type: ignore[no-any-return] # numpy's own stubs
