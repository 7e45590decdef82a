"""Dialect sentence-embedding: input_ids and, if the graph wants them, attention_mask and
token_type_ids (B, T) -> sentence_embedding (B, D).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...reading.embedding import Embedding
from ...reading.reader import Reading
from ...reading.sentence_similarity import SentenceSimilarity
from ..adapter import has_rank
from ..graph import Shapes
from ..reader import reads
from ..reading import ReadingAdapter


class SentenceEmbedding(ReadingAdapter):
    """A graph that pools by itself."""

    dialect: ClassVar[str] = "sentence-embedding"
    readings: ClassVar[Mapping[str, type[Reading]]] = {
        "embedding": Embedding,
        "sentence-similarity": SentenceSimilarity,
    }
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    output: ClassVar[str] = "sentence_embedding"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, and a vector a text."""
        return reads(inputs) and cls.output in outputs and has_rank(outputs[cls.output], 2)
