from __future__ import annotations

from ...text_encoders import embedding
from .reading import PoolingBackend


class Embedding(PoolingBackend):
    """The pooled last hidden state of an AutoModel."""

    reading = embedding.Embedding
