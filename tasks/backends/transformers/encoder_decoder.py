from __future__ import annotations

from typing import Any

from .vision import VisionBackend


class EncoderDecoderBackend(VisionBackend):
    """Models that look at an image with one half and write with the other."""

    auto_class = "VisionEncoderDecoderModel"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer."""
        from transformers import AutoTokenizer

        super().load_processor()
        self.tokenizer = AutoTokenizer.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )
