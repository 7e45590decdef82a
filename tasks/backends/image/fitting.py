"""A batch of image files on its way to a model: fitted row by row, grouped by size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ....protocol.errors import RowError
from ...base import TaskInput, TaskOutput
from ...media.size import displayed_size
from ...vision.documents import DocumentsInput
from ..rows import Decoded, alike
from ..sizes import Size
from .picture import picture
from .pixels import Pixels


class Fitted(NamedTuple):
    """An image of the size the model wants, and its size as it was sent."""

    image: Image.Image
    size: Size


#: Answers rows whose images are of one size: inputs, images, pixel_values (B, 3, H, W).
Answer = Callable[
    [Sequence[TaskInput], Sequence[Fitted], NDArray[np.float32]], Sequence[TaskOutput | RowError]
]


def fitted(row: TaskInput, pixels: Pixels, max_pixels: int, *, scaled: bool = False) -> Fitted:
    """Decode and resize a row. Raises RowError. The full image is freed before the next one.

    `scaled` lets large JPEGs be decoded to less than their size.
    """
    is_page = isinstance(row, DocumentsInput) and row.page is not None  # of a size of its own
    files: Any = row.images  # type: ignore[attr-defined] # vision inputs have images
    if scaled and not is_page and (size := displayed_size(files[0])):
        image = picture(row, max_pixels, at_least=pixels.enough(size))
        return Fitted(pixels.fit_reduced(image, size), size)
    image = picture(row, max_pixels)
    return Fitted(pixels.fit(image), image.size)


def run_fitted(
    batch: Sequence[TaskInput],
    pixels: Pixels,
    max_pixels: int,
    answer: Answer,
    *,
    scaled: bool = False,
    values: Callable[[Sequence[Image.Image]], NDArray[Any]] | None = None,
) -> list[TaskOutput | RowError]:
    """Answer a batch with one forward per size that its images are resized to.

    Models of a fixed size take the whole batch in one. Padding to the largest would let a row's
    answer depend on its neighbours: a DETR's logits moved by 0.08, with its mask. `values` makes
    something else of images of one size than `pixels.normalise`.
    """
    decoded = Decoded(batch, lambda row: fitted(row, pixels, max_pixels, scaled=scaled))
    found: dict[int, TaskOutput | RowError] = {}
    for group in alike(row.image.size for row in decoded.rows):
        rows = [decoded.rows[i] for i in group]
        made = (values or pixels.normalise)([row.image for row in rows])
        outputs = answer([decoded.inputs[i] for i in group], rows, made)
        found.update(zip(group, outputs, strict=True))
    return decoded.answers([found[i] for i in range(len(decoded.rows))])
