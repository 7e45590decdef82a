"""Dialect text-logits: input_ids and, if the graph wants them, attention_mask and token_type_ids
(B, T) -> logits (B, labels).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...text.cross_encoder import pair_length
from ...text.sentences import Sentences
from ...text_encoders.ranking import Ranking
from ...text_encoders.reader import Reading
from ...text_encoders.text_classification import TextClassification
from ...text_encoders.zero_shot_classification import ZeroShotClassification
from ..adapter import has_rank
from ..graph import Shapes
from ..reader import TextReader, reads
from ..reading import ReadingAdapter


class TextLogits(ReadingAdapter):
    """A sequence classifier: a cross-encoder, or one of natural language inference, too."""

    dialect: ClassVar[str] = "text-logits"
    readings: ClassVar[Mapping[str, type[Reading]]] = {
        "ranking": Ranking,
        "text-classification": TextClassification,
        "zero-shot-classification": ZeroShotClassification,
    }
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    reads: ClassVar[tuple[str, ...]] = ("logits",)
    output: ClassVar[str] = "logits"

    def make_reader(self) -> TextReader:
        """As long as a cross-encoder's folder says, for a ranking. Raises ModelRefused where its
        scores are of another kind.
        """
        longest = None
        if self.task.name == "ranking":
            longest = pair_length(self.model.find, str(self.model.folder))
        return TextReader(self.model, self.output, sentences=Sentences(max_tokens=longest))

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """A label a text has two axes (a label a token three)."""
        return reads(inputs) and "logits" in outputs and has_rank(outputs["logits"], 2)
