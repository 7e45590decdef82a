"""Image files to RGB pixels."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ...protocol.errors import RowError
from ..vision.images import MAX_PIXELS
from .kinds import HEIF, is_heif, rare_kind
from .rare import DPI, missing, rare_pages
from .rgb import rgb
from .size import FORMATS, ON_ITS_SIDE

# Ours refuses the row that is too large; Pillow's own guard is for an image inside an image, which
# is decoded while the outer one is opened: an icon may hold a PNG of any size.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

#: Formats that another decoder reads in less time.
_QUICKER = ("PNG", "WEBP")


def decode(
    data: bytes,
    max_pixels: int = MAX_PIXELS,
    background: str = "white",
    *,
    at_least: tuple[int, int] | None = None,
) -> Image.Image:
    """An upright RGB image as a viewer shows it, on a background.

    Transformers' own loader makes the same of usual ones, but has no ground behind what is
    transparent, and cuts deep values to white or black.

    A JPEG may be decoded to a half, a quarter or an eighth of its size that is no less than
    `at_least`: in a third of the time, to nearly the same pixels.

    Of several pages or frames it is the first. Raises RowError for a file that is no image, is
    broken, or has more than `max_pixels`.
    """
    if kind := rare_kind(data):
        return next(rare_pages(kind, data, max_pixels, DPI, background).images([0]))
    with faults_told(max_pixels):
        image = open_image(data, max_pixels)
        if at_least is not None and image.format == "JPEG":
            image.draft(None, _reduced(image, at_least))
        elif image.format in _QUICKER and (quickly := _quick_decoder()):
            image = quickly(image, data)
        ImageOps.exif_transpose(image, in_place=True)
        return rgb(image, background)


@functools.cache  # an import that fails takes longer than a small picture does
def _quick_decoder() -> Callable[[Image.Image, bytes], Image.Image] | None:
    """None where the extra pictures is not installed."""
    try:
        from .quick import decoded
    except ImportError:
        return None
    return decoded


def _reduced(image: Image.Image, at_least: tuple[int, int]) -> tuple[int, int]:
    """The least size of a pixel for each eight, four, or two, that is enough.

    The last pixel of a line may stand for fewer; an image that is turned has none such, for it
    would come first.
    """
    way = image.getexif().get(ExifTags.Base.Orientation, 1)
    if way in ON_ITS_SIDE:
        at_least = at_least[1], at_least[0]
    for scale in (8, 4, 2):
        less = -(-image.width // scale), -(-image.height // scale)
        whole = way == 1 or not (image.width % scale or image.height % scale)
        if whole and less[0] >= at_least[0] and less[1] >= at_least[1]:
            return less
    return image.size


def open_image(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """A file of which the head alone is read. Call it within `faults_told`. Raises RowError."""
    if not data:
        raise RowError("the image is empty")
    image = _opened(data)
    check_pixels(image, max_pixels)
    return image


def _opened(data: bytes) -> Image.Image:
    if not is_heif(data):
        return Image.open(io.BytesIO(data), formats=FORMATS)
    try:
        from .heif import open_heif
    except ImportError:
        raise missing(HEIF) from None
    return open_heif(data)


def check_pixels(image: Image.Image, max_pixels: int) -> None:
    """Raise RowError for an image of more than `max_pixels`."""
    width, height = image.size
    if width * height > max_pixels:
        raise RowError(f"the image has {width} x {height} pixels; {max_pixels} are allowed")


@contextmanager
def faults_told(max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Have Pillow's errors tell of the row that they are about: what is inside raises RowError."""
    try:
        yield
    except Image.DecompressionBombError:
        raise RowError(f"the image has too many pixels; {max_pixels} are allowed") from None
    except UnidentifiedImageError:
        raise RowError("not an image of a known format") from None
    except RowError:
        raise
    except Exception as error:
        # Pillow's readers raise many kinds (OSError, SyntaxError, struct.error) on broken files.
        raise RowError(f"the image cannot be read ({type(error).__name__})") from None
