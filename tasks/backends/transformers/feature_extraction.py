from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.feature_extraction import FeatureExtractionInput, FeatureExtractionOutput
from .text import TextBackend, real_tokens


class FeatureExtraction(TextBackend):
    """The last hidden state of an AutoModel, a vector per token."""

    auto_class = "AutoModel"

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all rows; those alike in length share a forward."""
        rows = cast("Sequence[FeatureExtractionInput]", batch)
        states = self.infer(self.tokens([row.texts[0] for row in rows]), _states)
        # The floats are the model's own: to check each again would take longer than the model.
        return [FeatureExtractionOutput.model_construct(features=[s.tolist()]) for s in states]


def _states(out: Any, tensors: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
    return real_tokens(out.last_hidden_state, tensors)  # B times (T, D)
