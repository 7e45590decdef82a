from __future__ import annotations

from ..reading import token_classification
from .reading import ReadingBackend


class TokenClassification(ReadingBackend):
    """The labels of an AutoModelForTokenClassification."""

    auto_class = "AutoModelForTokenClassification"
    reading = token_classification.TokenClassification
