from __future__ import annotations

from collections.abc import Sequence
from typing import cast

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
        outputs = [FeatureExtractionOutput.model_construct(features=[s.tolist()]) for s in found]
        return [
            with_truncation(row, out, [text.cut])
            for row, out, text in zip(rows, outputs, read, strict=True)
        ]
