from __future__ import annotations

from ...text_encoders import text_classification
from .reading import ReadingBackend


class TextClassification(ReadingBackend):
    """The labels of an AutoModelForSequenceClassification."""

    auto_class = "AutoModelForSequenceClassification"
    reading = text_classification.TextClassification
