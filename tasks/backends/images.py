"""Image files to RGB pixels."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from ...protocol.errors import RowError

# Pillow's own guard warns, process-wide; ours refuses the row that is too large.
Image.MAX_IMAGE_PIXELS = None

#: Pixels of one image, at most: 400 MB as RGB floats.
MAX_PIXELS = 100_000_000


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """An upright RGB image, as transformers' own loader makes it. Raises RowError."""
    if not data:
        raise RowError("the image is empty")
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise RowError(f"the image has {width} x {height} pixels; {max_pixels} are allowed")
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise RowError("not an image of a known format") from None
    except RowError:
        raise
    except Exception as error:
        # Pillow's readers raise many kinds (OSError, SyntaxError, struct.error) on broken files.
        raise RowError(f"the image cannot be read ({type(error).__name__})") from None
