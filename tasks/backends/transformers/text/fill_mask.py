from __future__ import annotations

from ...text_encoders import fill_mask
from ..whole import POOLER
from .reading import ReadingBackend


class FillMask(ReadingBackend):
    """The likeliest tokens of an AutoModelForMaskedLM."""

    auto_class = "AutoModelForMaskedLM"
    unread = (POOLER,)
    reading = fill_mask.FillMask
