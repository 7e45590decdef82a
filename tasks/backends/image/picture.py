"""The picture of a row."""

from __future__ import annotations

from typing import Any

from PIL import Image

from ...base import TaskInput
from ...media.decode import check_pixels, decode
from ...vision.documents import DocumentsInput


def picture(
    row: TaskInput, max_pixels: int, *, at_least: tuple[int, int] | None = None
) -> Image.Image:
    """What a model looks at of a row with an image: an upright RGB one, of a document the page that
    the row stands for.

    `at_least` is `decode`'s, and nothing to a page. Raises RowError.
    """
    page = row.page if isinstance(row, DocumentsInput) else None
    if page is None:
        seen: Any = row  # inputs with an image a row have images and background
        return decode(seen.images[0], max_pixels, seen.background, at_least=at_least)
    image = page.image()
    check_pixels(image, max_pixels)
    return image
