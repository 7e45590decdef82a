"""COCO instance segmentation: a mask per object, as compressed run lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....tasks.annotations.fits import items_of, label_of
from ....tasks.values.masks import read_mask
from ....tasks.values.rle import encode_compressed
from ....tasks.values.rounding import number
from ..rows import Annotation
from .coco import Coco, image_id


class CocoInstance(Coco):
    """Masks, and the boxes around them. A mask without a pixel is left out."""

    def _annotate(self, annotation: Annotation) -> Iterator[dict[str, Any]]:
        for item in items_of(annotation.output):
            mask = read_mask(item.mask)
            if not mask.any():
                continue
            yield {
                "id": self._next_id,
                "image_id": image_id(annotation),
                "category_id": self._categories.number(label_of(item)),
                "segmentation": {"size": list(mask.shape), "counts": encode_compressed(mask)},
                "bbox": bounds(mask),
                "area": int(np.count_nonzero(mask)),
                "iscrowd": 0,
                "score": number(item.score),
            }


def bounds(mask: NDArray[np.bool_]) -> list[int]:
    """Left, top, width, height of the set pixels, of which there is one at least."""
    across, down = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    left, top = int(across[0]), int(down[0])
    return [left, top, int(across[-1]) - left + 1, int(down[-1]) - top + 1]
