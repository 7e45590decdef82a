"""Pages of documents and frames of moving pictures, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from PIL import Image, ImageOps

from ...protocol.errors import RowError
from ..vision.images import MAX_PIXELS
from .decode import check_pixels, faults_told, open_image
from .kinds import PDF, is_single, rare_kind
from .rare import DPI, Pages, rare_pages
from .rgb import rgb

#: What of a TIFF's page says that it is another one in small, or a mask (TIFF 6.0's tag 254).
_SUBFILE, _SMALL_OR_MASK = 254, 0b101

#: Pictures of several parts that are one picture to people: sizes, or views for other screens.
_ONE = ("ICO", "MPO", "JPEG")

#: What holds pictures beside each other, not after each other.
_PAGED = ("TIFF", "HEIF")


def open_pages(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    dpi: float = DPI,
    background: str = "white",
) -> Pages:
    """The pages or frames of a picture file; a still one has one page.

    `dpi` is for pages that are drawn (PDF), `max_pixels` for each, `background` for what lets the
    ground through. They are counted, none is
    decoded. Raises RowError for what is no picture, is broken, or needs a package that is missing.
    """
    if kind := rare_kind(data):
        return rare_pages(kind, data, max_pixels, dpi, background)
    return _PicturePages(data, max_pixels, background)


class Page(NamedTuple):
    """One page of a file."""

    pages: Pages
    number: int  # from 0

    def image(self) -> Image.Image:
        """An upright RGB image. Raises RowError."""
        return next(self.pages.images([self.number]))


def pages_of(
    data: bytes,
    frames: Literal["first", "all"] | None,
    *,
    most: int,
    dpi: float,
    background: str,
) -> list[Page]:
    """The pages that are read of a file: all, or the first; where None says neither, all pages of
    a document and the first frame of what moves. None for a picture that is its own only page.

    Raises RowError for over `most` too.
    """
    if is_single(data):
        return []
    pages = open_pages(data, dpi=dpi, background=background)
    whole = frames == "all" or (frames is None and pages.kind == "page")
    if whole and pages.count > 1:
        if pages.count > most:  # before there is a list: DICOM may say any number
            raise RowError(f"the file has {pages.count} pages; {most} are allowed: cut it")
        return [Page(pages, number) for number in range(pages.count)]
    return [Page(pages, 0)] if rare_kind(data) is PDF else []


class _PicturePages:
    """What Pillow reads."""

    kind: Literal["page", "frame"]

    def __init__(self, data: bytes, max_pixels: int, background: str) -> None:
        self._max_pixels, self._background = max_pixels, background
        with faults_told(max_pixels):
            self._image = open_image(data, max_pixels)
            self.kind = "page" if self._image.format in _PAGED else "frame"
            self._places = _places(self._image)
        self.count = len(self._places)

    def images(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """As all pages have it."""
        for number in wanted:
            with faults_told(self._max_pixels):
                self._image.seek(self._places[number])  # goes on from where it is
                check_pixels(self._image, self._max_pixels)
                image = rgb(ImageOps.exif_transpose(self._image), self._background)
            yield image


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
