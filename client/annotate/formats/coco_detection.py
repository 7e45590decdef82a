"""COCO detection: a box per object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....tasks.annotations.fits import items_of
from ....tasks.values.rounding import number, pixels
from ..rows import Annotation
from .coco import Coco, bbox, image_id


class CocoDetection(Coco):
    """Boxes as the model gave them, not clipped to the image."""

    def _annotate(self, annotation: Annotation) -> Iterator[dict[str, Any]]:
        for item in items_of(annotation.output):
            box = bbox(item.box)
            yield {
                "id": self._next_id,
                "image_id": image_id(annotation),
                "category_id": self._categories.number(item.label),
                "bbox": box,
                "area": pixels(box[2] * box[3]),
                "iscrowd": 0,
                "score": number(item.score),
            }
