"""YOLO's turned boxes (https://docs.ultralytics.com/datasets/obb/): class, then four corners.

The box is the smallest rectangle around a mask's pixels. See yolo_folder.py for the folder.
"""

from __future__ import annotations

from collections.abc import Iterator

from ....tasks.annotations.fits import items_of, label_of
from ....tasks.values.masks import read_mask
from ....tasks.values.rectangles import smallest_rectangle
from ..rows import Annotation
from .yolo_folder import YoloFolder, numbers, share


class YoloObb(YoloFolder):
    """Corners are clipped to the image; a mask without a pixel is left out."""

    def _lines(
        self,
        annotation: Annotation,
        size: tuple[int, int],  # noqa: ARG002 # masks have their own
    ) -> Iterator[tuple[str, str]]:
        for item in items_of(annotation.output):
            mask = read_mask(item.mask)
            if mask.any():
                height, width = mask.shape
                corners = smallest_rectangle(mask)
                places = ((share(x, width), share(y, height)) for x, y in corners)
                yield label_of(item), numbers([each for place in places for each in place])
