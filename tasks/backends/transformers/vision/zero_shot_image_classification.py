from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...classify import sigmoid, softmax
from ...sizes import Size
from ..multimodal.label_sentences import LabelSentences
from ..multimodal.side_texts import beside_images, is_siglip
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
        self._alone = is_siglip(self.model.config)
        self._texts = beside_images(self.tokenizer, self.model.config)

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
