from __future__ import annotations

from ...text_encoders import feature_extraction
from .reading import EncodingBackend


class FeatureExtraction(EncodingBackend):
    """The last hidden state of an AutoModel, a vector per token."""

    reading = feature_extraction.FeatureExtraction
