from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...text.sentence_similarity import SentenceSimilarityInput, SentenceSimilarityOutput
from .reader import Reading


class SentenceSimilarity(Reading):
    """Cosines between the vectors of texts."""

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Read the sentences of all rows together, each different one once."""
        rows = cast("Sequence[SentenceSimilarityInput]", batch)
        texts = [[row.source_sentences[0], *row.sentences[0]] for row in rows]
        places = {
            text: place
            for place, text in enumerate(dict.fromkeys(text for row in texts for text in row))
        }
        vectors = self.reader.vectors(list(places))  # (texts, D)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        answers: list[TaskOutput | RowError] = []
        for row in texts:
            source, *others = (vectors[places[text]] for text in row)
            cosines = [float(source @ other) for other in others]
            answers.append(SentenceSimilarityOutput(scores=[cosines]))
        return answers
