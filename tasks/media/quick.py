"""Quicker decoders than Pillow's for PNG and WebP, of the same pixels (imagecodecs).

Pillow's wheels inflate PNG with the system's zlib, and decode every WebP as an animation.
"""

from __future__ import annotations

import imagecodecs
from PIL import Image

from .size import TELLING

_SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Places in a PNG's header: bits a value, and what the values are.
_BITS, _COLOURS = 24, 25

#: Grey, RGB, grey with alpha, RGBA; palettes are left to Pillow.
_PLAIN = (0, 2, 4, 6)


def decoded(image: Image.Image, data: bytes) -> Image.Image:
    """The opened picture with its pixels, if it is a plain and whole one; else as it came.

    What is wrong with a file is Pillow's to say.
    """
    try:
        if image.format == "WEBP" and not getattr(image, "is_animated", False):
            values = imagecodecs.webp_decode(data)
        elif image.format == "PNG" and _is_plain(image, data):
            values = imagecodecs.png_decode(data)
        else:
            return image
        quick = Image.fromarray(values)
    except Exception:
        return image
    if quick.size != image.size:
        return image
    quick.info = image.info  # its orientation
    return quick


def _is_plain(image: Image.Image, data: bytes) -> bool:
    return (
        data[_BITS] == 8
        and data[_COLOURS] in _PLAIN
        and "transparency" not in image.info
        and not getattr(image, "is_animated", False)
        and not _tells_late(data)
    )


def _tells_late(png: bytes) -> bool:
    """Whether what may tell its orientation comes after its pixels, where only Pillow looks."""
    at, late = len(_SIGNATURE), False
    while at < len(png):
        name = png[at + 4 : at + 8]
        if late and name in TELLING:
            return name != b"IEND"
        late = late or name == b"IDAT"
        at += 12 + int.from_bytes(png[at : at + 4])
    return True
