"""COCO captions: a text per image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..rows import Annotation
from .coco import Coco, image_id
from .records import record_of


class CocoCaptions(Coco):
    """One caption an image; an empty one is left out."""

    HAS_CATEGORIES: ClassVar[bool] = False

    def _renumbered(self, lines: list[bytes], first: int) -> Iterator[bytes]:
        for number, line in enumerate(lines, start=first + 1):
            yield b'{"id":%d,%s' % (number, line.partition(b",")[2])

    def _annotate(self, annotation: Annotation) -> Iterator[dict[str, Any]]:
        caption = record_of(annotation, self.origin.task)["text"]
        if caption:
            entry = {"id": self._next_id, "image_id": image_id(annotation), "caption": caption}
            yield entry
