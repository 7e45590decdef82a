"""YOLO's boxes: class, then centre x, centre y, width, height, as shares of the image's.

Tasks that answer masks are written as `yolo-seg` writes them. See yolo_folder.py for the folder.
"""

from __future__ import annotations

from collections.abc import Iterator

from ....tasks.annotations.fits import has_masks, items_of
from ..rows import Annotation
from .yolo_folder import YoloFolder, numbers, share


class Yolo(YoloFolder):
    """Boxes are clipped to the image; one that has no area in it is left out."""

    def _lines(self, annotation: Annotation, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
        if has_masks(self.origin.task):
            from .yolo_seg import polygon_lines  # numpy and Pillow, for masks alone

            yield from polygon_lines(annotation)
            return
        width, height = size
        for item in items_of(annotation.output):
            left, right = (share(x, width) for x in (item.box.xmin, item.box.xmax))
            top, bottom = (share(y, height) for y in (item.box.ymin, item.box.ymax))
            if left < right and top < bottom:
                centre = [(left + right) / 2, (top + bottom) / 2]
                yield item.label, numbers([*centre, right - left, bottom - top])
