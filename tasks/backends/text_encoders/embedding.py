from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.embedding import EmbeddingInput
from ..text.cut import with_truncation
from ..text.pool import embeddings
from .reader import Reading


class Embedding(Reading):
    """A vector a text."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts of all rows together."""
        rows = cast("Sequence[EmbeddingInput]", batch)
        if not rows:
            return []
        read = self.read(rows, self.reader.prompted([row.texts[0] for row in rows]))
        found = embeddings(rows, self.reader.vectors([text.tokens for text in read]))
        return [
            with_truncation(row, out, [text.cut])
            for row, out, text in zip(rows, found, read, strict=True)
        ]
