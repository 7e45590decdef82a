from __future__ import annotations

from ...text_encoders import token_classification
from ..whole import POOLER
from .reading import ReadingBackend


class TokenClassification(ReadingBackend):
    """The labels of an AutoModelForTokenClassification."""

    auto_class = "AutoModelForTokenClassification"
    unread = (POOLER,)
    reading = token_classification.TokenClassification
