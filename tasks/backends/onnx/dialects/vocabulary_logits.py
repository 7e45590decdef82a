"""Dialect vocabulary-logits: input_ids and, if the graph wants them, attention_mask and
token_type_ids (B, T) -> logits (B, T, vocabulary).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...text_encoders.fill_mask import FillMask
from ...text_encoders.reader import Reading
from ..adapter import has_rank
from ..graph import Shapes
from ..reader import TextReader, reads
from ..reading import ReadingAdapter


class VocabularyLogits(ReadingAdapter):
    """What token may stand in each place."""

    dialect: ClassVar[str] = "vocabulary-logits"
    readings: ClassVar[Mapping[str, type[Reading]]] = {"fill-mask": FillMask}
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    reads: ClassVar[tuple[str, ...]] = ("logits",)

    def make_reader(self) -> TextReader:
        """Its classes are tokens, which config.json does not name."""
        return TextReader(self.model, "logits", labelled=False)

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """A number a token of the vocabulary, for each token."""
        return reads(inputs) and "logits" in outputs and has_rank(outputs["logits"], 3)
