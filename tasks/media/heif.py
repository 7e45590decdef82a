"""HEIC and HEIF, by libheif (pillow-heif)."""

from __future__ import annotations

import io

from PIL import Image
from pillow_heif import HeifImageFile


def open_heif(data: bytes) -> Image.Image:
    """A file of which the head alone is read, as Pillow opens one.

    libheif turns it as it says; what its EXIF says of that is passed over, as the standard asks.
    """
    image: Image.Image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call] # of Pillow
    return image
