from __future__ import annotations

from ...company import TEXTS
from ...text_encoders import question_answering
from ...text_encoders.reader import Tokens
from ..whole import POOLER
from .reading import ReadingBackend


class QuestionAnswering(ReadingBackend):
    """The passages of an AutoModelForQuestionAnswering."""

    auto_class = "AutoModelForQuestionAnswering"
    unread = (POOLER,)
    reading = question_answering.QuestionAnswering

    def probe_rows(self) -> list[Tokens]:
        """Questions of three lengths before one context: a lone text is none to some models."""
        return self.tokens(TEXTS, [TEXTS[0]] * len(TEXTS))
