"""JPEG XL, by libjxl (imagecodecs)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...protocol.errors import RowError
from .jpeg_xl_head import read_head
from .rgb import rgb


class JpegXlPages:
    """A still picture."""

    kind: Literal["page", "frame"] = "frame"
    count = 1

    def __init__(self, data: bytes, max_pixels: int, background: str) -> None:
        """Raises RowError for a picture that is broken, too large, or moves."""
        try:
            self._head = read_head(data)
        except ValueError:
            raise RowError("the JPEG XL cannot be read: its head is broken or cut off") from None
        width, height = self._head.size
        if width * height > max_pixels:
            raise RowError(f"the image has {width} x {height} pixels; {max_pixels} are allowed")
        if self._head.moves:
            raise RowError("a JPEG XL that moves is not read: send GIF, WebP, PNG or AVIF")
        self._data, self._background = data, background

    def images(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """As all pages have it."""
        for _ in wanted:
            try:
                # It turns the picture as its head says.
                values = imagecodecs.jpegxl_decode(self._data, index=0, numthreads=1)
            except Exception as error:
                raise RowError(f"the JPEG XL cannot be read ({type(error).__name__})") from None
            yield rgb(Image.fromarray(self._eight_bits(values)), self._background)

    def _eight_bits(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        if values.shape[2:] not in ((), (2,), (3,), (4,)):
            raise RowError("the JPEG XL has channels that are no colour: send grey or RGB")
        if values.dtype == np.uint8 and self._head.bits == 8:
            return values
        top = 1 if not self._head.bits else (1 << self._head.bits) - 1
        scaled = np.rint(np.nan_to_num(values.astype(np.float32)).clip(0, top) * (255 / top))
        eight: NDArray[np.uint8] = scaled.astype(np.uint8)
        return eight
