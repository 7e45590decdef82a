"""Masks as the tasks send them: grey PNG files, 255 where set and 0 elsewhere."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ...protocol.errors import InvalidRequest
from ..vision.images import MAX_PIXELS

#: zlib's level. Of masks 4 makes less than half the bytes that 3 does, and as many as 6.
_LEVEL = 4


def write_mask(mask: NDArray[Any]) -> bytes:
    """The file of a mask (H, W), of any type whose truth counts."""
    buffer = io.BytesIO()
    grey = Image.fromarray(mask.astype(np.bool_) * np.uint8(255))
    grey.save(buffer, "PNG", compress_level=_LEVEL)
    return buffer.getvalue()


def read_mask(png: bytes) -> NDArray[np.bool_]:
    """The mask (H, W) of a file: whatever is not black. Raises InvalidRequest."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InvalidRequest(
                    f"the mask has {image.width} x {image.height} pixels; {MAX_PIXELS} are allowed"
                )
            mask: NDArray[np.bool_] = np.asarray(image.convert("L")) != 0
            return mask
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InvalidRequest(f"a mask is to be a PNG file: {error}") from None
