from __future__ import annotations

from collections.abc import Sequence

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..pool import embeddings
from .reader import Reading


class Embedding(Reading):
    """A vector a text."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts of all rows together."""
        texts = [row.texts[0] for row in batch]  # type: ignore[attr-defined] # its own Input
        return list(embeddings(batch, self.reader.vectors(texts)))
