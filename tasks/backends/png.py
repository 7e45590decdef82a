"""Images to PNG files. Encode outside the device's lock: a photograph takes a tenth of a second."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: zlib's level. Of a photograph 4 takes half the time of 6 and 2 % more bytes; of a mask, less
#: than 3 does.
_LEVEL = 4


def png(image: Image.Image) -> bytes:
    """The file of an image."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_LEVEL)
    return buffer.getvalue()


def mask_png(mask: NDArray[Any]) -> bytes:
    """A grey file, 255 where a mask (H, W) is true and 0 elsewhere."""
    return png(Image.fromarray(mask.astype(bool) * np.uint8(255)))
