"""Dialect pixel-logits: pixel_values (B, 3, H, W) -> logits (B, labels)."""

from __future__ import annotations

from collections.abc import Sequence

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ..classify import classification
from ..images import decode
from ..pixels import Pixels
from ..rows import Decoded
from .base import OnnxBackend


class ImageClassification(OnnxBackend):
    """Softmax over a graph's logits."""

    pixels: Pixels

    def load_processor(self) -> None:
        """Read the preprocessor's settings."""
        self.require({"pixel_values"}, {"logits"})
        pixels = Pixels.from_config(self.read_json("preprocessor_config.json"))
        if pixels is None:
            raise ValueError(f"{self.folder}: preprocessor_config.json is no plain resize")
        self.pixels = pixels

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One run for all readable rows."""
        decoded = Decoded(batch, lambda row: decode(row.images[0]))  # type: ignore[attr-defined] # its own Input
        if not decoded.rows:
            return decoded.answers([])
        logits = self.forward({"pixel_values": self.pixels(decoded.rows)})["logits"]
        return decoded.answers(
            [
                classification(row, scores, self.labels())
                for row, scores in zip(decoded.inputs, logits, strict=True)
            ]
        )
