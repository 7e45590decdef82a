"""Dialect token-logits: input_ids and, if the graph wants them, attention_mask and token_type_ids
(B, T) -> logits (B, T, labels).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...text_encoders.reader import Reading
from ...text_encoders.token_classification import TokenClassification
from ..adapter import has_rank
from ..graph import Shapes
from ..reader import reads
from ..reading import ReadingAdapter


class TokenLogits(ReadingAdapter):
    """A label a token."""

    dialect: ClassVar[str] = "token-logits"
    readings: ClassVar[Mapping[str, type[Reading]]] = {"token-classification": TokenClassification}
    tasks: ClassVar[tuple[str, ...]] = tuple(readings)
    reads: ClassVar[tuple[str, ...]] = ("logits",)
    output: ClassVar[str] = "logits"

    @classmethod
    def accepts(cls, inputs: Shapes, outputs: Shapes, config: Mapping[str, Any]) -> bool:  # noqa: ARG003 # names tell
        """A label a token has three axes (a label a text two)."""
        return reads(inputs) and "logits" in outputs and has_rank(outputs["logits"], 3)
