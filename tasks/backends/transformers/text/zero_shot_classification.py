from __future__ import annotations

from ...text_encoders import zero_shot_classification
from .reading import ReadingBackend


class ZeroShotClassification(ReadingBackend):
    """A model of natural language inference that reads each text with each label."""

    auto_class = "AutoModelForSequenceClassification"
    reading = zero_shot_classification.ZeroShotClassification
