from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....base import TaskInput, TaskOutput
from ...sizes import Size
from ..generation.generate import Parameters, budget, generate
from ..vision.base import Tensors
from ..vision.encoder_decoder import EncoderDecoderBackend


class ImageToText(EncoderDecoderBackend):
    """The caption that a VisionEncoderDecoderModel finds likeliest."""

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
