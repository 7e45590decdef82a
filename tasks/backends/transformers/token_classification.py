from __future__ import annotations

from ..reading import token_classification
from .reading import ReadingBackend
from .whole import POOLER


class TokenClassification(ReadingBackend):
    """The labels of an AutoModelForTokenClassification."""

    auto_class = "AutoModelForTokenClassification"
    unread = (POOLER,)
    reading = token_classification.TokenClassification
