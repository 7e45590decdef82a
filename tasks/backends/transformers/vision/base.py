from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .....protocol.errors import RowError
from ....base import Task, TaskInput, TaskOutput
from ...image.decoding import is_scaled, refusal
from ...image.fitting import Fitted, fitted, run_fitted
from ...image.picture import picture
from ...image.pixels import Pixels
from ...rows import Decoded, alike, check_entries
from ...sizes import Size
from .images import ImagesBackend

log = logging.getLogger(__name__)

Tensors = Mapping[str, torch.Tensor]


class Processed(NamedTuple):
    """A row as the model's own processor makes it, (1, ...) each, and its size as it was sent."""

    tensors: Tensors
    size: Size


class VisionBackend(ImagesBackend):
    """Models that look at one image a row. `decode` says how a picture is decoded that is much
    larger than what the model sees: `exact`, as the model's own processor has it, or `scaled`, a
    JPEG to less than its size and others averaged before they are resized, in a third of the time,
    to nearly the same pixels (docs/performance.md has what it does to answers). `scaled_decoding`
    is the older word for the latter.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        decode: str = "exact",
        scaled_decoding: bool = False,
        **parameters: Any,  # the base's own
    ) -> None:
        super().__init__(task, source, **parameters)
        self._scaled = is_scaled(decode, scaled_decoding=scaled_decoding)
        self._max_pixels = min(self._max_pixels, task.max_row_cost)
        self.processor: Any = None
        self.pixels: Pixels | None = None

    def load_processor(self) -> None:
        """Load the image processor; a plain one is replaced by the faster equal path."""
        from transformers import AutoImageProcessor

        self.processor = AutoImageProcessor.from_pretrained(
            self.source, revision=self._revision, trust_remote_code=False
        )
        self.pixels = Pixels.from_config(self.processor.to_dict())

    def load(self) -> None:
        """Load the model. Raises ModelRefused."""
        super().load()
        if self._scaled and (why := _unscalable(self.pixels)):
            raise refusal(str(self.source or "this model"), why)

    @abstractmethod
    def answer(
        self, inputs: Sequence[TaskInput], sizes: Sequence[Size], tensors: Tensors
    ) -> Sequence[TaskOutput | RowError]:
        """One forward over images of one size, given the sizes they were sent in.

        Tensors have an entry a row, or as many for each where `model_inputs` lets an image be in
        parts.

        A row that the model cannot answer gets its own RowError.
        """

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """One forward for all readable rows; one per size where the model takes many sizes."""
        if self.pixels is None:
            return self._run_processed(batch)
        plain = type(self.pixels).normalise is Pixels.normalise and self.pixels.frame is None
        there = self.normalises_there and plain
        return run_fitted(
            batch,
            self.pixels,
            self._max_pixels,
            self._answer_fitted,
            scaled=self._scaled,
            values=_eight_bits if there else None,
        )

    @property
    def normalises_there(self) -> bool:
        """Whether pixels are normalised where the model is: a quarter of the bytes cross over."""
        return self.place.startswith("cuda")

    def to_device(self, tensors: Tensors) -> dict[str, torch.Tensor]:
        """Move inputs as all models do; pixels of eight bits are normalised there."""
        moved = super().to_device(tensors)
        values = moved.get("pixel_values")
        if self.pixels is not None and values is not None and values.dtype == torch.uint8:
            scale, shift = (
                torch.tensor(each, device=values.device).view(3, 1, 1)
                for each in (self.pixels.scale, self.pixels.shift)
            )
            floats = values[:, list(self.pixels.order)].to(torch.float32)
            moved["pixel_values"] = floats.mul_(scale).add_(shift).to(self._dtype)
        return moved

    def _answer_fitted(
        self, inputs: Sequence[TaskInput], rows: Sequence[Fitted], values: NDArray[Any]
    ) -> Sequence[TaskOutput | RowError]:
        pixel_values = torch.from_numpy(values)
        if self.place.startswith("cuda"):
            pixel_values = pixel_values.pin_memory()  # so that the copy waits for nobody
        if values.dtype == np.uint8:
            pixel_values = pixel_values.permute(0, 3, 1, 2)  # a view: they stay as Pillow has them
        tensors = {"pixel_values": pixel_values}
        if self.pixels is not None and self.pixels.masked:
            mask = self.pixels.mask([row.image for row in rows])
            tensors["pixel_mask"] = torch.from_numpy(mask)
        return self.answer(inputs, [row.size for row in rows], tensors)

    def _run_processed(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        decoded = Decoded(batch, self._process)
        found: dict[int, TaskOutput | RowError] = {}
        for group in alike(_shapes(row.tensors) for row in decoded.rows):
            rows = [decoded.rows[i] for i in group]
            tensors = {
                name: torch.cat([row.tensors[name] for row in rows]) for name in rows[0].tensors
            }
            outputs = self.answer(
                [decoded.inputs[i] for i in group], [row.size for row in rows], tensors
            )
            found.update(zip(group, outputs, strict=True))
        return decoded.answers([found[i] for i in range(len(decoded.rows))])

    def _process(self, row: TaskInput) -> Processed:
        if self.pixels is not None:
            return self._quickly(row, self.pixels)
        image = picture(row, self._max_pixels)
        try:
            tensors = self.processor(images=[image], return_tensors="pt")
        except ValueError as error:
            log.info("the image processor refused a row: %s", error)
            raise RowError(
                f"the model's processor refuses an image of {image.width} x {image.height} pixels"
            ) from None
        return Processed(self.model_inputs(tensors), image.size)

    def _quickly(self, row: TaskInput, pixels: Pixels) -> Processed:
        """What the processor makes of a row, with the mask that it would make."""
        one = fitted(row, pixels, self._max_pixels, scaled=self._scaled)
        tensors = {"pixel_values": torch.from_numpy(pixels.normalise([one.image]))}
        if "pixel_mask" in self.processor.model_input_names:
            tensors["pixel_mask"] = torch.from_numpy(pixels.mask([one.image]))
        return Processed(tensors, one.size)

    def model_inputs(self, made: Mapping[str, Any]) -> Tensors:
        """What the model is given of all that its processor made of one image. Raises RowError."""
        # Some processors add notes of their own to the tensors: texts, sizes.
        tensors = {name: t for name, t in made.items() if isinstance(t, torch.Tensor)}
        check_entries(tensors, 1)
        return tensors


def _unscalable(pixels: Pixels | None) -> str:
    if pixels is None:
        return "it does more with an image than to resize, crop and pad it"
    return pixels.unscalable


def _eight_bits(images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """Images of one size as they are, (B, H, W, 3)."""
    return np.stack([np.asarray(image) for image in images])


def _shapes(tensors: Tensors) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tensor.shape) for tensor in tensors.values())
