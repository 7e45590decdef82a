from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ....multimodal.multivector_embedding import (
    MultivectorEmbeddingInput,
    MultivectorEmbeddingOutput,
)
from ...rows import Decoded
from .late_interaction import LateInteraction, Tensors


class MultivectorEmbedding(LateInteraction):
    """The vectors of pages and queries, for whoever compares them elsewhere."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """A forward for rows of one size."""
        decoded = Decoded(batch, self._of)
        return decoded.answers(
            [
                MultivectorEmbeddingOutput(features=[vectors.tolist()])
                for vectors in self.vectors(decoded.rows)
            ]
        )

    def _of(self, row: TaskInput) -> Tensors:
        asked = cast("MultivectorEmbeddingInput", row)
        if asked.is_image():
            return self.page((asked.images or [b""])[0], asked.background)
        return self.query((asked.texts or [""])[0])
