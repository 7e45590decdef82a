"""What the stub does with files where it is to decode: as usual models of such tasks do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base import Task, TaskInput
from .image.fitting import fitted
from .image.pixels import Pixels
from .rows import Decoded
from .sound.waveform import decode

#: Of ViT: 224 x 224 pixels, whatever was sent.
_PIXELS = Pixels.from_config({"image_processor_type": "ViTImageProcessor"})

#: Samples a second of the usual models that listen.
_RATE = 16_000


def decoded_files(task: Task, batch: Sequence[TaskInput]) -> Decoded[Any]:
    """A batch of pictures made one array of pixels, or of sounds made samples; others as they are.

    A row that cannot be read has its own error.
    """
    contents = {spec.content for spec in task.inputs}
    if "image" in contents and "images" in task.input.model_fields and _PIXELS is not None:
        pixels = _PIXELS
        pictures = Decoded(batch, lambda row: fitted(row, pixels, task.max_row_cost))
        if pictures.rows:
            pixels.normalise([row.image for row in pictures.rows])
        return pictures
    if task.cost_unit == "milliseconds":
        seconds = task.max_row_cost / 1000

        def samples(row: TaskInput) -> Any:
            given: Any = row  # inputs of sounds have audio and sample_rate
            return decode(given.audio[0], given.sample_rate, rate=_RATE, max_seconds=seconds)

        return Decoded(batch, samples)
    return Decoded(batch, lambda row: row)
