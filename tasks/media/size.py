"""The size of an image as people see it, which boxes and masks are told in, by its header."""

from __future__ import annotations

import io

from PIL import ExifTags, Image
from PIL.IcoImagePlugin import IcoFile

from .jpeg_head import JPEG, read_jpeg_head
from .jpeg_xl_head import read_head
from .kinds import DICOM, JPEG_XL, RareKind, is_heif, rare_kind

# A build of Pillow may lack a format (AVIF, WEBP), which only shows once its readers are loaded.
Image.init()

#: What people send and workers read. Pillow knows more, some of it by starting other programs
#: (EPS: Ghostscript).
FORMATS = tuple(
    name
    for name in (
        *("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000"),
        *("PNG", "PPM", "TIFF", "WEBP"),
    )
    if name in Image.OPEN
)

#: EXIF orientations that swap width and height (TIFF 6.0's tag 274).
ON_ITS_SIDE = (5, 6, 7, 8)

#: What of a PNG may tell its orientation; Pillow looks for it behind the pixels too.
TELLING = (b"IHDR", b"eXIf", b"iTXt", b"tEXt", b"zTXt", b"IEND")

#: How an icon begins.
_ICON = b"\0\0\1\0"


def displayed_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of an image that is turned as it says; None for what is none, and
    for a document, whose pages are as large as they are drawn.
    """
    try:
        if kind := rare_kind(data):
            return _rare_size(kind, data)
        if is_heif(data):
            from .heif import open_heif  # of the extra pictures

            with open_heif(data) as image:
                return image.size  # it is told upright
        if data.startswith(JPEG) and (size := _plain_size(data)):
            return size
        if data.startswith(_ICON):
            return _icon_size(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            return (height, width) if _is_turned(image, data) else (width, height)
    except Exception:  # Pillow's readers raise many kinds on broken files, and warn of bombs
        return None


def _plain_size(jpeg: bytes) -> tuple[int, int] | None:
    """Of a JPEG that nothing turns, and that Pillow would not take for a bomb."""
    head = read_jpeg_head(jpeg)
    if head is None or not head.is_plain:
        return None
    most = Image.MAX_IMAGE_PIXELS
    fits = most is None or head.width * head.height <= most
    return (head.width, head.height) if fits else None


def _rare_size(kind: RareKind, data: bytes) -> tuple[int, int] | None:
    if kind is JPEG_XL:
        return read_head(data).size
    if kind is DICOM:
        from .dicom import size_of  # of the extra pictures

        return size_of(data)
    return None


def _icon_size(icon: bytes) -> tuple[int, int]:
    """By the head of the largest picture in it, which Pillow would decode to open the icon."""
    largest = IcoFile(io.BytesIO(icon)).entry[0]
    with Image.open(io.BytesIO(icon[largest.offset :]), formats=("PNG", "DIB")) as image:
        width, height = image.size
        # A bitmap in an icon has its mask below it.
        return (width, height) if image.format == "PNG" else (width, height // 2)


def _is_turned(image: Image.Image, data: bytes) -> bool:
    """Whether Pillow will turn it on its side, and has not told its size so."""
    if image.format == "TIFF":
        return False  # its size is told upright
    if image.format == "PNG":
        with Image.open(io.BytesIO(_without_pixels(data)), formats=("PNG",)) as told:
            # The plugin's own method would decode all pixels first.
            exif = Image.Image.getexif(told)
    else:
        exif = image.getexif()
    return exif.get(ExifTags.Base.Orientation, 1) in ON_ITS_SIDE


def _without_pixels(png: bytes) -> bytes:
    """A PNG file of the chunks that tell: length, name, data, CRC each (its standard, 5.3)."""
    kept, at = [png[:8]], 8
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] in TELLING:
            kept.append(png[at:end])
        at = end
    return b"".join(kept)
