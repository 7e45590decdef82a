from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...classify import sigmoid, softmax
from ...sizes import Size
from ..multimodal.label_sentences import LabelSentences
from ..multimodal.side_texts import SideTexts
from ..tokenizer import load_tokenizer
from .base import Tensors, VisionBackend


class ZeroShotImageClassification(VisionBackend):
    """CLIP, SigLIP and their kin: images and sentences in one space."""

    auto_class = "AutoModelForZeroShotImageClassification"
    tokenizer: Any

    def load_processor(self) -> None:
        """Load the image processor and the tokenizer."""
        super().load_processor()
        self.tokenizer = load_tokenizer(
            str(self.source), revision=self._revision, config=self.model.config
        )
        # SigLIP was trained on sentences padded to 64 tokens, and scores each label by itself.
        self._alone = "siglip" in self.model.config.model_type
        text = getattr(self.model.config, "text_config", self.model.config)
        positions = 64 if self._alone else getattr(text, "max_position_embeddings", 512)
        padding = "max_length" if self._alone else True
        self._texts = SideTexts(self.tokenizer, positions, padding=padding)

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # sizes matter to detection only
        tensors: Tensors,
    ) -> list[TaskOutput | RowError]:
        """One forward. pixel_values: (B, 3, H, W), sentences: (U, T) -> logits: (B, U)."""
        sentences = LabelSentences(self.task, inputs)
        encoded, lost = self._texts(sentences.union)
        with self.forward():
            out = self.model(**self.to_device({**tensors, **encoded}))
            logits = out.logits_per_image.float().cpu().numpy()
        return sentences.answers(logits, sigmoid if self._alone else softmax, lost)
