from __future__ import annotations

from ..reading import ranking
from .reading import ReadingBackend


class Ranking(ReadingBackend):
    """A cross-encoder: an AutoModelForSequenceClassification with one label."""

    auto_class = "AutoModelForSequenceClassification"
    reading = ranking.Ranking
