from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.sentence_similarity import SentenceSimilarityInput, SentenceSimilarityOutput
from ..text.cut import with_truncation
from .reader import Reading


class SentenceSimilarity(Reading):
    """Cosines between the vectors of texts."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Read the sentences of all rows together, each different one once."""
        rows = cast("Sequence[SentenceSimilarityInput]", batch)
        if not rows:
            return []
        texts = [[row.source_sentences[0], *row.sentences[0]] for row in rows]
        owners = {
            (text, row.truncation_direction): row
            for row, own in zip(rows, texts, strict=True)
            for text in own
        }
        read = self.read([*owners.values()], self.reader.prompted([text for text, _ in owners]))
        vectors = self.reader.vectors([text.tokens for text in read])  # (texts, D)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        places = {text: place for place, text in enumerate(owners)}
        answers: list[TaskOutput | RowError] = []
        for row, own in zip(rows, texts, strict=True):
            at = [places[text, row.truncation_direction] for text in own]
            source, *others = vectors[at]
            cosines = [float(source @ other) for other in others]
            output = SentenceSimilarityOutput(scores=[cosines])
            answers.append(with_truncation(row, output, [read[place].cut for place in at]))
        return answers
