"""Make regions of an image unrecognisable, and leave the rest."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image, ImageFilter

from ....protocol.errors import RowError
from ...base import Task, TaskInput, TaskOutput
from ...boxes import BoundingBox, BoxesOutput
from ...media.decode import decode
from ...vision.image_anonymization import (
    ImageAnonymizationInput,
    ImageAnonymizationOutput,
    Strategy,
)
from ...vision.images import MAX_PIXELS
from ..base import Backend
from ..decoding import decode_each
from ..device import Device
from ..facts import ModelFacts
from .png import png

#: Cells along a region's longer edge when it is pixelated: too few for a face or a number plate.
_CELLS = 8

#: Edge of a pixelated region's cell, at least, in pixels.
_SMALLEST_CELL = 4


def anonymize(
    image: Image.Image, boxes: Iterable[BoundingBox], strategy: Strategy, blur_radius: int
) -> int:
    """Change an image within boxes. Answers how many lay on it."""
    count = 0
    for box in boxes:
        # Whole pixels: one that a box touches is hidden.
        left, top = max(0, math.floor(box.xmin)), max(0, math.floor(box.ymin))
        right, bottom = (
            min(image.width, math.ceil(box.xmax)),
            min(image.height, math.ceil(box.ymax)),
        )
        if left < right and top < bottom:
            region = image.crop((left, top, right, bottom))
            image.paste(_hidden(region, strategy, blur_radius), (left, top))
            count += 1
    return count


def _hidden(region: Image.Image, strategy: Strategy, blur_radius: int) -> Image.Image:
    if strategy == "black_box":
        return Image.new("RGB", region.size)
    if strategy == "blur":
        return region.filter(ImageFilter.GaussianBlur(blur_radius))
    edge = max(math.ceil(max(region.size) / _CELLS), _SMALLEST_CELL)
    cells = (math.ceil(region.width / edge), math.ceil(region.height / edge))
    averages = region.resize(cells, Image.Resampling.BOX)
    return averages.resize(region.size, Image.Resampling.NEAREST)


class AnonymizingBackend(Backend):
    """A detector, and the regions that it finds hidden.

    Images are decoded twice, so that a batch of large ones is never in memory at once.
    """

    def __init__(
        self,
        task: Task,
        source: str | None,
        *,
        device: Device,
        max_pixels: int = MAX_PIXELS,
        **parameters: Any,  # the detector's own
    ) -> None:
        super().__init__(task, source or task.default_model, device=device)
        self._max_pixels = max_pixels
        self.detector = self.make_detector(max_pixels=max_pixels, **parameters)

    @abstractmethod
    def make_detector(self, **parameters: Any) -> Backend:
        """The backend that does object detection with this one's source and device."""

    def load(self) -> None:
        """Load the detector."""
        self.detector.load()

    def run(self, batch: Sequence[TaskInput]) -> list[TaskOutput | RowError]:
        """Search all rows in one batch, then hide what was found in each."""
        found = self.detector.run(batch)  # it reads images and threshold, as detection does
        boxes = {id(row): each for row, each in zip(batch, found, strict=True)}

        def hidden(row: TaskInput) -> TaskOutput | RowError:
            seen = boxes[id(row)]
            return self._answer(row, seen) if isinstance(seen, BoxesOutput) else seen

        return decode_each(batch, hidden)

    def _answer(self, row: TaskInput, found: BoxesOutput) -> ImageAnonymizationOutput:
        assert isinstance(row, ImageAnonymizationInput)
        boxes = [
            region.box
            for region in found.detections[0]
            if row.classes is None or region.label in row.classes
        ]
        image = decode(row.images[0], self._max_pixels, row.background)
        count = anonymize(image, boxes, row.strategy, row.blur_radius)
        return ImageAnonymizationOutput(
            anonymized_images=[png(image)], num_regions_anonymized=[count]
        )

    def facts(self) -> ModelFacts:
        """Those of the detector."""
        return self.detector.facts()

    def close(self) -> None:
        """Free the detector."""
        self.detector.close()
