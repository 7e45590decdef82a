from __future__ import annotations

from collections.abc import Sequence

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..pool import embeddings
from .text import PooledTextBackend


class Embedding(PooledTextBackend):
    """Mean pooling over an AutoModel's last hidden state, padding left out."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Answer all rows; those alike in length share a forward."""
        texts = [row.texts[0] for row in batch]  # type: ignore[attr-defined] # its own Input
        return list(embeddings(batch, self.vectors(texts)))
