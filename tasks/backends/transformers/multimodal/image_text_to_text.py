from __future__ import annotations

import functools
import io
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from PIL import Image, ImageOps

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...company import TEXTS, Probe, Values, apart
from ...image.decode import decode
from ...rows import Decoded, alike, check_entries
from ...sizes import Size
from ..generation.generate import (
    Completion,
    Parameters,
    budget,
    first_steps,
    generate,
    pad_token,
    writer,
)
from ..processors import load_processor
from ..tokenizer import check_tokenizer, tokenizer_errors
from ..vision.base import Tensors
from ..vision.images import ImagesBackend
from .asking import Asker, asker_of

log = logging.getLogger(__name__)

_IDS = "input_ids"


class Asked(NamedTuple):
    """A row as the model takes it, (1, ...) each, and what was sent."""

    tensors: Tensors
    text: str
    size: Size


class ImageTextToText(ImagesBackend):
    """What an AutoModelForImageTextToText answers to an image and a text.

    Each kind of model is asked in its own way (`asking`). `max_pixels` bounds a row's image before
    it is decoded.
    """

    auto_class = "AutoModelForImageTextToText"
    processor: Any
    asker: Asker

    def load_processor(self) -> None:
        """Load the processor: images, tokens, and the chat template that joins them."""
        with tokenizer_errors(str(self.source), self._revision):
            self.processor = load_processor(
                str(self.source), revision=self._revision, config=self.model.config
            )
        if not hasattr(self.processor, "tokenizer"):
            raise ValueError(f"{self.source}: a model without a processor of images and text")
        check_tokenizer(
            str(self.source),
            self.processor.tokenizer,
            revision=self._revision,
            config=self.model.config,
        )
        self.asker = asker_of(self.model.config.model_type, self.processor, str(self.source))
        settle(self.model)

    def example(self) -> TaskInput:
        """A row to warm up with, its picture large enough for models that look at many places."""
        row = super().example()
        return row.model_copy(update={"images": [_picture()]})

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One generate for all readable rows; one per size of their tensors, for models that cut
        images into more or fewer tiles.
        """
        decoded = Decoded(batch, self._encode)
        found: dict[int, TaskOutput] = {}
        # Rows short of positions get fewer tokens: those stay by themselves.
        room = [
            self._room(input_, row.tensors)
            for input_, row in zip(decoded.inputs, decoded.rows, strict=True)
        ]
        sizes = [self._sizes(row.tensors) for row in decoded.rows]
        company = [
            apart(self.company.batching, place, _length(row.tensors))
            for place, row in enumerate(decoded.rows)
        ]
        for group in alike(zip(room, sizes, company, strict=True)):
            rows = [decoded.rows[i].tensors for i in group]
            written = self._write(decoded.inputs[group[0]], rows, room[group[0]])
            for position, completion in zip(group, written, strict=True):
                row = decoded.rows[position]
                said = self.asker.answer(completion, row.text, row.size)
                found[position] = self.task.output.model_validate({"texts": [said]})
        return decoded.answers([found[i] for i in range(len(decoded.rows))])

    def _encode(self, row: TaskInput) -> Asked:
        """A row as the model's processor makes it, input_ids (1, T). Raises RowError."""
        inputs: Any = row
        image = decode(inputs.images[0], self._max_pixels)
        encoded = self._processed(image, inputs.texts[0])
        self._room(row, encoded)  # raises
        return Asked(encoded, inputs.texts[0], image.size)

    def probe(self) -> Probe[Tensors] | None:
        """Texts of three lengths about one image; None where other tensors differ with them."""
        image = decode(self.example().images[0], self._max_pixels)  # type: ignore[attr-defined] # its own Input
        rows = [self._processed(image, text) for text in TEXTS]
        if len({self._sizes(row) for row in rows}) > 1:
            return None
        negative = self._processed(ImageOps.invert(image), TEXTS[0])
        return Probe(rows, negative, self._first_steps, self.tolerance)

    def _first_steps(self, rows: Sequence[Tensors]) -> Sequence[Values]:
        tokenizer = self.processor.tokenizer
        tensors = self._joined(rows)
        with self.forward():
            return first_steps(self.model, tokenizer, self.to_device(tensors))

    def _room(self, row: TaskInput, encoded: Tensors) -> int:
        """How many tokens the row may get."""
        most: int = row.max_new_tokens  # type: ignore[attr-defined] # its own Input
        started = encoded.get("decoder_input_ids")
        return budget(
            self.model, _length(encoded), most, started=1 if started is None else started.shape[1]
        )

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
        check_entries({name: made[name] for name in made if name == _IDS}, 1)
        return made

    def _write(self, first: Any, rows: Sequence[Tensors], room: int) -> list[Completion]:
        """One generate. A batch has one set of parameters: the first row's."""
        parameters = Parameters(
            max_new_tokens=room,
            do_sample=first.do_sample,
            temperature=first.temperature,
            top_p=first.top_p,
        )
        tensors = self._joined(rows)
        with self.forward():
            return generate(
                self.model, self.processor.tokenizer, self.to_device(tensors), parameters
            )

    def _sizes(self, row: Tensors) -> tuple[object, ...]:
        """What rows must share to be one tensor: all but their first dimension and their tokens."""
        return tuple(
            (name, None if self._is_padded(row, name) else tensor.shape[1:])
            for name, tensor in row.items()
        )

    def _is_padded(self, row: Tensors, name: str) -> bool:
        return name in self.asker.padded and row[name].shape == row[_IDS].shape

    def _joined(self, rows: Sequence[Tensors]) -> Tensors:
        """Rows as one batch, tokens padded on the left where the answer goes on from them."""
        pad = pad_token(self.model, self.processor.tokenizer)
        longest = max(map(_length, rows))

        def whole(row: Tensors, name: str) -> torch.Tensor:
            tensor = row[name]
            if not self._is_padded(row, name):
                return tensor
            missing = longest - tensor.shape[1]
            room = (missing, 0) if self.asker.side == "left" else (0, missing)
            return torch.nn.functional.pad(tensor, room, value=pad if name == _IDS else 0)

        return {name: torch.cat([whole(row, name) for row in rows]) for name in rows[0]}


def settle(model: Any) -> None:
    """Have a model that gives its writer an end beside its settings have it in them, too."""
    if model.config.model_type == "blip":
        writer(model).generation_config.eos_token_id = model.config.text_config.sep_token_id


def _length(row: Tensors) -> int:
    """How many tokens a row has before its answer, a model's own start left out."""
    return row[_IDS].shape[1] if _IDS in row else 0


@functools.cache
def _picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "PNG")
    return file.getvalue()
