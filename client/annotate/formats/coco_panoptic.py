"""COCO panoptic (Kirillov et al. 2019; https://cocodataset.org/#format-data): a folder.

    panoptic.json          segments_info per image
    panoptic/<name>.png    RGB; a segment's id is R + 256 G + 65536 B, 0 is no segment

Ids count an image's segments from 1. `isthing` is 1, and 0 for semantic maps: answers do not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....tasks.annotations.fits import items_of
from ....tasks.values.rounding import number
from ..rows import Annotation, Origin
from .base import size_of
from .coco import CATEGORY, Coco, image_id
from .coco_instance import bounds
from .file_names import FileNames
from .json_document import renumbered
from .painted import painted

#: zlib's level.
_LEVEL = 4


class CocoPanoptic(Coco):
    """Each pixel is the surest segment's; segments that no pixel is left to are left out."""

    is_folder: ClassVar[bool] = True
    DOCUMENT: ClassVar[str] = "panoptic.json"

    def __init__(self, path: Path, origin: Origin) -> None:
        super().__init__(path, origin)
        self._names = self._grows("names", FileNames())
        self._held.callback(self._names.close)

    def _renumbered(self, lines: list[bytes], first: int) -> Iterable[bytes]:  # noqa: ARG002 # has none
        numbers = self._categories.moved_text
        return (renumbered(line, CATEGORY, numbers) for line in lines) if numbers else lines

    def _annotate(self, annotation: Annotation) -> Iterator[dict[str, Any]]:
        items = items_of(annotation.output)
        owner = painted(items, size_of(annotation))
        name = self._names.take(annotation.id, ".png")
        file = self.path / "panoptic" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_colours(owner)).save(file, "PNG", compress_level=_LEVEL)
        yield {
            "image_id": image_id(annotation),
            "file_name": name,
            "segments_info": [
                self._segment(item, place, owner == place)
                for place, item in enumerate(items, start=1)
                if (owner == place).any()
            ],
        }

    def _segment(self, item: Any, place: int, mask: NDArray[np.bool_]) -> dict[str, Any]:
        return {
            "id": place,
            "category_id": self._categories.number(item.label),
            "area": int(np.count_nonzero(mask)),
            "bbox": bounds(mask),
            "iscrowd": 0,
            "score": number(item.score),
        }

    def _category(self, number: int, label: str) -> dict[str, Any]:
        is_semantic = self.origin.parameters.get("subtask") == "semantic"
        return {**super()._category(number, label), "isthing": int(not is_semantic)}


def _colours(owner: NDArray[np.int32]) -> NDArray[np.uint8]:
    return np.stack([owner >> shift & 0xFF for shift in (0, 8, 16)], axis=-1).astype(np.uint8)
