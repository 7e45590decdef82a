from __future__ import annotations

import functools
import io
import logging
from typing import Any, NamedTuple

from PIL import Image, ImageOps

from .....protocol.errors import RowError
from ....base import TaskInput
from ....media.decode import decode
from ...company import TEXTS, Probe
from ...rows import check_entries
from ...sizes import Size
from ..generation.generate import Completion, writer
from ..vision.base import Tensors
from ..vision.images import ImagesBackend
from .asking import Asker, asker_of
from .conversing import IDS, Conversing

log = logging.getLogger(__name__)


class Asked(NamedTuple):
    """A row as the model takes it, (1, ...) each, and what was sent."""

    tensors: Tensors
    text: str
    size: Size


class ImageTextToText(Conversing[Asked], ImagesBackend):
    """What an AutoModelForImageTextToText answers to an image and a text.

    Each kind of model is asked in its own way (`asking`). `max_pixels` bounds a row's image before
    it is decoded.
    """

    auto_class = "AutoModelForImageTextToText"
    reads = "images and text"
    asker: Asker

    def load_processor(self) -> None:
        """Load the processor: images, tokens, and the chat template that joins them."""
        super().load_processor()
        self.asker = asker_of(self.model.config.model_type, self.processor, str(self.source))
        settle(self.model)

    def example(self) -> TaskInput:
        """A row to warm up with, its picture large enough for models that look at many places."""
        row = super().example()
        return row.model_copy(update={"images": [_picture()]})

    def encode(self, row: TaskInput) -> Asked:
        """A row as the model's processor makes it, input_ids (1, T). Raises RowError."""
        inputs: Any = row
        image = decode(inputs.images[0], self._max_pixels, inputs.background)
        encoded = self._processed(image, inputs.texts[0])
        self.parameters(row, encoded)  # raises
        return Asked(encoded, inputs.texts[0], image.size)

    def said(self, written: Completion, row: Asked) -> str:
        """The text, or what it tells of the image's places."""
        return self.asker.answer(written, row.text, row.size)

    def probe(self) -> Probe[Tensors] | None:
        """Texts of three lengths about one image; None where other tensors differ with them."""
        image = decode(self.example().images[0], self._max_pixels)  # type: ignore[attr-defined] # its own Input
        rows = [self._processed(image, text) for text in TEXTS]
        if len({self.sizes(row) for row in rows}) > 1:
            return None
        negative = self._processed(ImageOps.invert(image), TEXTS[0])
        return Probe(rows, negative, self.first_steps, self.tolerance)

    def _processed(self, image: Image.Image, text: str) -> Tensors:
        try:
            made = self.asker.encode(image, text)
        except ValueError as error:
            log.info("the processor refused a row: %s", error)
            raise RowError(
                f"the model's processor refuses an image of {image.width} x {image.height} pixels "
                "or its text"
            ) from None
        # Pixels are in parts: the text holds a mark for each, and the model counts them off.
        check_entries({name: made[name] for name in made if name == IDS}, 1)
        return made


def settle(model: Any) -> None:
    """Have a model that gives its writer an end beside its settings have it in them, too."""
    if model.config.model_type == "blip":
        writer(model).generation_config.eos_token_id = model.config.text_config.sep_token_id


@functools.cache
def _picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "PNG")
    return file.getvalue()
