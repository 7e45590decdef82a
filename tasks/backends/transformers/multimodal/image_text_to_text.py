from __future__ import annotations

import functools
import io
import logging
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image, ImageOps

from .....protocol.errors import RowError
from ....base import TaskInput, TaskOutput
from ...company import TEXTS, Probe, Values, apart
from ...image.decode import decode
from ...rows import Decoded, alike, check_entries
from ..generation.generate import Parameters, budget, first_steps, generate, pad_token
from ..processors import load_processor
from ..tokenizer import check_tokenizer, tokenizer_errors
from ..vision.base import Tensors
from ..vision.images import ImagesBackend

log = logging.getLogger(__name__)

_IDS = "input_ids"


class ImageTextToText(ImagesBackend):
    """What an AutoModelForImageTextToText answers to an image and a text.

    Where the processor has a chat template, the two are a user's message. `max_pixels` bounds a
    row's image before it is decoded.
    """

    auto_class = "AutoModelForImageTextToText"
    processor: Any

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
        room = [self._room(*row) for row in zip(decoded.inputs, decoded.rows, strict=True)]
        sizes = map(_sizes, decoded.rows)
        company = [
            apart(self.company.batching, place, row[_IDS].shape)
            for place, row in enumerate(decoded.rows)
        ]
        for group in alike(zip(room, sizes, company, strict=True)):
            rows = [decoded.rows[i] for i in group]
            texts = self._write(decoded.inputs[group[0]], rows, room[group[0]])
            for position, text in zip(group, texts, strict=True):
                found[position] = self.task.output.model_validate({"texts": [text]})
        return decoded.answers([found[i] for i in range(len(decoded.rows))])

    def _encode(self, row: TaskInput) -> Tensors:
        """A row as the model's processor makes it, input_ids (1, T). Raises RowError."""
        inputs: Any = row
        image = decode(inputs.images[0], self._max_pixels)
        encoded = self._processed(image, self._prompt(inputs.texts[0]))
        self._room(row, encoded)  # raises
        return encoded

    def probe(self) -> Probe[Tensors] | None:
        """Texts of three lengths about one image; None where other tensors differ with them."""
        image = decode(self.example().images[0], self._max_pixels)  # type: ignore[attr-defined] # its own Input
        rows = [self._processed(image, self._prompt(text)) for text in TEXTS]
        if len({_sizes(row) for row in rows}) > 1:
            return None
        negative = self._processed(ImageOps.invert(image), self._prompt(TEXTS[0]))
        return Probe(rows, negative, self._first_steps, self.tolerance)

    def _first_steps(self, rows: Sequence[Tensors]) -> Sequence[Values]:
        tokenizer = self.processor.tokenizer
        tensors = _joined(rows, pad_token(self.model, tokenizer))
        with self.forward():
            return first_steps(self.model, tokenizer, self.to_device(tensors))

    def _room(self, row: TaskInput, encoded: Tensors) -> int:
        """How many tokens the row may get."""
        most: int = row.max_new_tokens  # type: ignore[attr-defined] # its own Input
        return budget(self.model, encoded[_IDS].shape[1], most)

    def _prompt(self, text: str) -> str:
        """The text with the mark of one image: more, and the model would look for more images."""
        mark: str = getattr(self.processor, "image_token", None) or ""
        if mark:
            text = text.replace(mark, "")
        if not getattr(self.processor, "chat_template", None):
            return f"{mark}\n{text}" if mark else text
        content = [{"type": "image"}, {"type": "text", "text": text}]
        prompt: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return prompt

    def _processed(self, image: Image.Image, prompt: str) -> Tensors:
        start = self.processor.tokenizer.bos_token
        try:
            made = dict(
                self.processor(
                    images=[image],
                    text=[prompt],
                    return_tensors="pt",
                    # Many templates write the token that starts a text themselves.
                    add_special_tokens=not (start and prompt.startswith(start)),
                )
            )
        except ValueError as error:
            log.info("the processor refused a row: %s", error)
            raise RowError(
                f"the model's processor refuses an image of {image.width} x {image.height} pixels "
                "or its text"
            ) from None
        # Pixels are in parts: the text holds a mark for each, and the model counts them off.
        check_entries({_IDS: made[_IDS]}, 1)
        return made

    def _write(self, first: Any, rows: Sequence[Tensors], room: int) -> list[str]:
        """One generate. A batch has one set of parameters: the first row's."""
        tokenizer = self.processor.tokenizer
        tensors = _joined(rows, pad_token(self.model, tokenizer))
        parameters = Parameters(
            max_new_tokens=room,
            do_sample=first.do_sample,
            temperature=first.temperature,
            top_p=first.top_p,
        )
        with self.forward():
            written = generate(self.model, tokenizer, self.to_device(tensors), parameters)
        return [completion.text.strip() for completion in written]


@functools.cache
def _picture() -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "PNG")
    return file.getvalue()


def _sizes(row: Tensors) -> tuple[object, ...]:
    """What rows must share to be one tensor: all but their first dimension and their tokens."""
    tokens = row[_IDS].shape
    return tuple(
        (name, tensor.shape[1:] if tensor.shape != tokens else None) for name, tensor in row.items()
    )


def _joined(rows: Sequence[Tensors], pad: int) -> Tensors:
    """Rows as one batch, their tokens padded on the left: texts go on at the right."""
    longest = max(row[_IDS].shape[1] for row in rows)

    def whole(row: Tensors, name: str) -> torch.Tensor:
        tensor = row[name]
        if tensor.shape != row[_IDS].shape:
            return tensor
        missing = longest - tensor.shape[1]
        return torch.nn.functional.pad(tensor, (missing, 0), value=pad if name == _IDS else 0)

    return {name: torch.cat([whole(row, name) for row in rows]) for name in rows[0]}
