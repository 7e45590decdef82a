from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....base import TaskInput, TaskOutput
from ...base import ModelRefused
from ...sizes import Size
from ..generation.generate import Parameters, budget, generate
from ..processors import load_processor
from ..vision.base import Tensors
from ..vision.encoder_decoder import EncoderDecoderBackend
from .image_text_to_text import settle

#: Models that caption a picture with no word said; others are told what to say.
_CAPTIONERS = ("blip", "blip-2", "git", "pix2struct", "vision-encoder-decoder")


class ImageToText(EncoderDecoderBackend):
    """The caption that a model finds likeliest: a VisionEncoderDecoderModel, BLIP, BLIP-2, GIT or
    Pix2Struct.
    """

    auto_class = "AutoModelForImageTextToText"

    def load_model(self) -> tuple[Any, list[str]]:
        """Load the weights. Raises ModelRefused for a model that wants to be told something."""
        kind = self.read_config().model_type
        if kind not in _CAPTIONERS:
            raise ModelRefused(
                f"{self.source}: a model of type {kind} does not caption by itself (types that do: "
                f"{', '.join(_CAPTIONERS)}); serve it as image-text-to-text"
            )
        return super().load_model()

    def load_processor(self) -> None:
        """Load the image processor, and the tokenizer."""
        super().load_processor()
        if self.model.config.model_type == "pix2struct":  # its processor says how many patches
            self.processor = load_processor(
                str(self.source), revision=self._revision, config=self.model.config
            )
        settle(self.model)

    def answer(
        self,
        inputs: Sequence[TaskInput],
        sizes: Sequence[Size],  # noqa: ARG002 # sizes matter to detection only
        tensors: Tensors,
    ) -> list[TaskOutput]:
        """One generate. pixel_values: (B, 3, H, W) -> a text a row."""
        first: Any = inputs[0]  # a batch has one max_new_tokens
        most = budget(self.model, 0, first.max_new_tokens)
        with self.forward():
            written = generate(
                self.model,
                self.tokenizer,
                self.to_device(tensors),
                Parameters(max_new_tokens=most),
            )
        return [
            self.task.output.model_validate({"texts": [completion.text.strip()]})
            for completion in written
        ]
