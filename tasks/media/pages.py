"""Pages of documents and frames of moving pictures, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from PIL import Image, ImageOps

from ..vision.images import MAX_PIXELS
from .decode import check_pixels, faults_told, open_image
from .kinds import rare_kind
from .rare import DPI, Pages, rare_pages
from .rgb import rgb

#: What of a TIFF's page says that it is another one in small, or a mask (TIFF 6.0's tag 254).
_SUBFILE, _SMALL_OR_MASK = 254, 0b101

#: Pictures of several parts that are one picture to people: sizes, or views for other screens.
_ONE = ("ICO", "MPO", "JPEG")


def open_pages(data: bytes, *, max_pixels: int = MAX_PIXELS, dpi: float = DPI) -> Pages:
    """The pages or frames of a picture file; a still one has one page.

    `dpi` is for pages that are drawn (PDF), `max_pixels` for each. They are counted, none is
    decoded. Raises RowError for what is no picture, is broken, or needs a package that is missing.
    """
    if kind := rare_kind(data):
        return rare_pages(kind, data, max_pixels, dpi)
    return _PicturePages(data, max_pixels)


class _PicturePages:
    """What Pillow reads."""

    kind: Literal["page", "frame"]

    def __init__(self, data: bytes, max_pixels: int) -> None:
        self._data, self._max_pixels = data, max_pixels
        with faults_told(max_pixels):
            image = open_image(data, max_pixels)
            self.kind = "page" if image.format == "TIFF" else "frame"
            self._places = _places(image)
        self.count = len(self._places)

    def images(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """As all pages have it."""
        with faults_told(self._max_pixels):
            image = open_image(self._data, self._max_pixels)
        for number in wanted:
            yield self._at(image, self._places[number])

    def _at(self, image: Image.Image, place: int) -> Image.Image:
        with faults_told(self._max_pixels):
            if place != image.tell():
                image.seek(place)
            check_pixels(image, self._max_pixels)
            return rgb(ImageOps.exif_transpose(image))


def _places(image: Image.Image) -> Sequence[int]:
    """Where Pillow has the pages that people see."""
    count = 1 if image.format in _ONE else int(getattr(image, "n_frames", 1))
    if image.format == "TIFF" and count > 1:
        return [place for place in range(count) if not _is_aside(image, place)] or [0]
    # Of an animated PNG's frames the first may be for those who show none of the others.
    return range(1 if count > 1 and image.info.get("default_image") else 0, count)


def _is_aside(image: Image.Image, place: int) -> bool:
    image.seek(place)
    tags = getattr(image, "tag_v2", {})
    return bool(int(tags.get(_SUBFILE, 0)) & _SMALL_OR_MASK)
