"""Dialect span-logits: input_ids and, if the graph wants them, attention_mask and token_type_ids
(B, T) -> start_logits, end_logits (B, T).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...text_encoders.question_answering import QuestionAnswering
from ...text_encoders.reader import Reading
from ..adapter import has_rank
from ..graph import Shapes
from ..reader import TextReader, reads
from ..reading import ReadingAdapter

_BOTH = ("start_logits", "end_logits")


class SpanLogits(ReadingAdapter):
    """Where in a context an answer begins and ends."""

    dialect: ClassVar[str] = "span-logits"
    readings: ClassVar[Mapping[str, type[Reading]]] = {"question-answering": QuestionAnswering}
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    reads: ClassVar[tuple[str, ...]] = _BOTH

    def make_reader(self) -> TextReader:
        """Both outputs as one."""
        return TextReader(self.model, *_BOTH, labelled=False)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """By its names, a number a token each."""
        return reads(inputs) and all(n in outputs and has_rank(outputs[n], 2) for n in _BOTH)
