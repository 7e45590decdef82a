from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....base import TaskInput, TaskOutput
from ...base import ModelRefused
from ...rows import alike
from ...sizes import Size
from ..generation.generate import company_of, generate, room_of, within
from ..generation.parameters import Parameters
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
    rows_have_own = True

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
        """One generate; more where beams are followed to several lengths. pixel_values:
        (B, 3, H, W) -> a text a row.
        """
        wanted = [self._parameters(row) for row in inputs]
        found: dict[int, TaskOutput] = {}
        for group in alike(company_of(self.model, wanted)):
            rows = {name: tensor[group] for name, tensor in tensors.items()}
            with self.forward():
                written = generate(
                    self.model, self.tokenizer, self.to_device(rows), [wanted[i] for i in group]
                )
            for place, completion in zip(group, written, strict=True):
                said = {"texts": [completion.text.strip()]}
                found[place] = self.task.output.model_validate(said)
        return [found[place] for place in range(len(inputs))]

    def _parameters(self, row: Any) -> Parameters:
        room = room_of(self.model, 0, row.max_new_tokens)
        return Parameters(max_new_tokens=within(row.max_new_tokens, room), room=room)
