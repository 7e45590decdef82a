from __future__ import annotations

from ..reading import feature_extraction
from .reading import ReadingBackend


class FeatureExtraction(ReadingBackend):
    """The last hidden state of an AutoModel, a vector per token."""

    auto_class = "AutoModel"
    reading = feature_extraction.FeatureExtraction
