from __future__ import annotations

from typing import Any

from ..tokenizer import load_tokenizer
from ..whole import POOLER
from .base import VisionBackend


class EncoderDecoderBackend(VisionBackend):
    """Models that look at an image with one half and write with the other."""

    auto_class = "VisionEncoderDecoderModel"
    unread = (POOLER,)  # the decoder looks at all places
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer."""
        super().load_processor()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
