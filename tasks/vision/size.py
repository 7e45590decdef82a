"""The size of an image as people see it, which boxes and masks are told in, by its header."""

from __future__ import annotations

import io

from PIL import ExifTags, Image

# A build of Pillow may lack a format (AVIF, WEBP), which only shows once its readers are loaded.
Image.init()

#: What workers read, see tasks/backends/images.py. Pillow knows more, some of it by starting other
#: programs (EPS: Ghostscript).
FORMATS = tuple(
    name
    for name in (
        *("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000"),
        *("PNG", "PPM", "TIFF", "WEBP"),
    )
    if name in Image.OPEN
)

#: EXIF orientations that swap width and height (TIFF 6.0's tag 274).
_ON_ITS_SIDE = (5, 6, 7, 8)

#: What a PNG has in it whose orientation is told anywhere, be it behind the pixels.
_PNG_TELLS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")


def displayed_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of an image that is turned as it says; None for what is none."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            return (height, width) if _is_turned(image, data) else (width, height)
    except Exception:  # Pillow's readers raise many kinds on broken files, and warn of bombs
        return None


def _is_turned(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow will turn it on its side, and has not told its size so."""
    if image.format == "TIFF":
        return False  # its size is told upright
    if image.format == "PNG" and not any(sign in data for sign in _PNG_TELLS):
        return False  # Pillow would decode all of it to know
    return image.getexif().get(ExifTags.Base.Orientation, 1) in _ON_ITS_SIDE
