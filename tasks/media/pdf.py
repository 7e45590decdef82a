"""Pages of PDF files, rendered by PDFium (pypdfium2)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pypdfium2  # type: ignore[import-untyped] # it ships no types
from PIL import Image
from pypdfium2 import raw

from ...protocol.errors import RowError

#: PDFium is not made for threads. Whoever gives up pages halfway closes them while another page of
#: the same thread may be read.
_ONE_AT_A_TIME = threading.RLock()

#: Units of a page an inch.
_UNITS = 72

#: Images of images, at most, that are looked at for their size.
_DEPTH = 8


class PdfPages:
    """A document of which no page is rendered yet."""

    kind: Literal["page", "frame"] = "page"

    def __init__(self, data: bytes, max_pixels: int, dpi: float) -> None:
        """Raises RowError for a file that is broken, locked or without pages."""
        self._data, self._max_pixels, self._dpi = data, max_pixels, dpi
        with _opened(data) as document:
            self.count = len(document)
        if not self.count:
            raise RowError("the PDF has no pages")

    def images(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """As all pages have it."""
        with _opened(self._data) as document:
            for number in wanted:
                yield self._render(document, number)

    def _render(self, document: pypdfium2.PdfDocument, number: int) -> Image.Image:
        with _ONE_AT_A_TIME, _told(f"page {number + 1} of the PDF"):
            page: Any = document[number]  # its types are partial
            try:
                self._check(page, number + 1)
                drawn = page.render(
                    scale=self._dpi / _UNITS, rev_byteorder=True, limit_image_cache=True
                )
                try:
                    image: Image.Image = drawn.to_pil().convert("RGB")  # a copy: its memory goes
                    return image
                finally:
                    drawn.close()
            finally:
                page.close()

    def _check(self, page: Any, number: int) -> None:
        width, height = (max(1, round(side * self._dpi / _UNITS)) for side in page.get_size())
        if width * height > self._max_pixels:
            raise RowError(
                f"page {number} of the PDF has {width} x {height} pixels at {self._dpi:g} dpi; "
                f"{self._max_pixels} are allowed: say a lower `dpi`"
            )
        # PDFium decodes an image whole, whatever size it is drawn in.
        for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH):
            width, height = image.get_px_size()
            if width * height > self._max_pixels:
                raise RowError(
                    f"page {number} of the PDF holds an image of {width} x {height} pixels; "
                    f"{self._max_pixels} are allowed"
                )


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    with _ONE_AT_A_TIME, _told("the PDF", is_locked=b"/Encrypt" in data):
        document = pypdfium2.PdfDocument(data)
        document.init_forms()  # or what is filled in is not drawn
    try:
        yield document
    finally:
        with _ONE_AT_A_TIME:
            document.close()


@contextlib.contextmanager
def _told(what: str, *, is_locked: bool = False) -> Iterator[None]:
    """`is_locked` says whether a password may be wanted: PDFium tells an older fault's reason where
    it has none (a document without pages).
    """
    try:
        yield
    except pypdfium2.PdfiumError as error:
        if is_locked and getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            raise RowError("the PDF opens with a password only: send it without") from None
        raise RowError(f"{what} cannot be read: it is broken or cut off") from None
