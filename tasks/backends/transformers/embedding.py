from __future__ import annotations

from ..reading import embedding
from .reading import PoolingBackend


class Embedding(PoolingBackend):
    """The pooled last hidden state of an AutoModel."""

    reading = embedding.Embedding
