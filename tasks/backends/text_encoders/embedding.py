from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.embedding import EmbeddingInput
from ..rows import Decoded
from ..text.cut import with_truncation
from ..text.pool import embeddings
from .reader import Reading


class Embedding(Reading):
    """A vector a text."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Texts of all rows together."""
        decoded = Decoded(batch, self._prompted)
        rows = cast("Sequence[EmbeddingInput]", decoded.inputs)
        if not rows:
            return decoded.answers([])
        read = self.read(rows, decoded.rows)
        found = embeddings(rows, self.reader.vectors([text.tokens for text in read]))
        return decoded.answers(
            [
                with_truncation(row, out, [text.cut])
                for row, out, text in zip(rows, found, read, strict=True)
            ]
        )

    def _prompted(self, given: TaskInput) -> str:
        """A row's text behind its prompt. Raises RowError."""
        row = cast("EmbeddingInput", given)
        return self.reader.prompted(row.texts, row.prompt_name)[0]
