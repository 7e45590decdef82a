from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.feature_extraction import FeatureExtractionInput, FeatureExtractionOutput
from .reader import Reading


class FeatureExtraction(Reading):
    """The last hidden state, a vector per token."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts of all rows together."""
        rows = cast("Sequence[FeatureExtractionInput]", batch)
        states = self.reader.states(self.reader.tokens([row.texts[0] for row in rows]))
        # The floats are the model's own: to check each again would take longer than the model.
        return [FeatureExtractionOutput.model_construct(features=[s.tolist()]) for s in states]
