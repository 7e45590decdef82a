"""Segments in one map that gives each pixel to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ....tasks.values.masks import read_mask


def painted(items: Sequence[Any], size: tuple[int, int]) -> NDArray[np.int32]:
    """A map (H, W) of which item each pixel shows: its place in the list + 1, 0 for none.

    Where several claim a pixel the surest has it, of equals the first. `size` is the image's, width
    first, in pixels, and only counts where there is no item. Raises RowError for masks of several
    sizes.
    """
    masks = [read_mask(item.mask) for item in items]
    shape = masks[0].shape if masks else (size[1], size[0])
    owner = np.zeros(shape, np.int32)
    # The surest last: it paints over the others.
    for place in sorted(range(len(items)), key=lambda i: (items[i].score, -i)):
        if masks[place].shape != shape:
            raise RowError(f"masks of {masks[place].shape} and {shape} pixels in one image")
        owner[masks[place]] = place + 1
    return owner
