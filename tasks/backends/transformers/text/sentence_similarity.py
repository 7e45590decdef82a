from __future__ import annotations

from ...text_encoders import sentence_similarity
from .reading import PoolingBackend


class SentenceSimilarity(PoolingBackend):
    """Cosines between pooled vectors of an AutoModel."""

    reading = sentence_similarity.SentenceSimilarity
