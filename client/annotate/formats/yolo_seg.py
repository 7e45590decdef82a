"""YOLO's polygons (https://docs.ultralytics.com/datasets/segment/): class, then x1 y1 x2 y2 ...

A mask is one line, so one object for a reader: its parts are joined, as Ultralytics' own converters
join them, by a line that is a pixel wide when it is drawn. Holes stay. See yolo_folder.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from ....tasks.annotations.fits import items_of, label_of
from ....tasks.values.masks import read_mask
from ....tasks.values.outlines import outline
from ..rows import Annotation
from .yolo_folder import YoloFolder, numbers

#: Readers cut places to whole pixels, some round them: both find the pixel that was meant.
_INTO = 0.25
#: Points of a polygon, at least: with fewer a line is taken for a box.
_LEAST = 3


class YoloSeg(YoloFolder):
    """A mask without a pixel is left out."""

    def _lines(
        self,
        annotation: Annotation,
        size: tuple[int, int],  # noqa: ARG002 # masks have their own
    ) -> Iterator[tuple[str, str]]:
        return polygon_lines(annotation)


def polygon_lines(annotation: Annotation) -> Iterator[tuple[str, str]]:
    """The label of each mask, and the polygon that `cv2.fillPoly` makes it of again."""
    for item in items_of(annotation.output):
        mask = read_mask(item.mask)
        corners = outline(mask)
        if corners:
            corners += corners[-1:] * (_LEAST - len(corners))
            height, width = mask.shape
            places = (((x + _INTO) / width, (y + _INTO) / height) for x, y in corners)
            yield label_of(item), numbers([share for place in places for share in place])
