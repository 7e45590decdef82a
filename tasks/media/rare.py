"""Pages and frames of a file, and the files of which a package of its own reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from PIL import Image

from ...protocol.errors import RowError
from .kinds import DICOM, PDF, RareKind

#: Dots an inch that a page is rendered with, where nothing else is said.
DPI = 200


class Pages(Protocol):
    """The pages or frames of a file, of which none is decoded yet."""

    #: How many there are: one at least.
    count: int
    #: What they are: of a document, or of a picture that moves.
    kind: Literal["page", "frame"]

    def images(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """Those of these numbers from 0, in rising order, as upright RGB images, one at a time.

        Raises RowError for one that is broken or too large.
        """
        ...


def rare_pages(kind: RareKind, data: bytes, max_pixels: int, dpi: float, background: str) -> Pages:
    """The pages of a file that Pillow alone does not read.

    Raises RowError for one that is broken or locked, and where its package is not installed.
    """
    try:
        if kind is PDF:
            from .pdf import PdfPages

            return PdfPages(data, max_pixels, dpi)
        if kind is DICOM:
            from .dicom import DicomPages

            return DicomPages(data, max_pixels)
        from .jpeg_xl import JpegXlPages

        return JpegXlPages(data, max_pixels, background)
    except ImportError:
        raise missing(kind) from None


def missing(kind: RareKind) -> RowError:
    """That a file's kind is known, and its package not installed."""
    return RowError(
        f"{kind.title} is read with the extra pictures (pip install 'wherry[pictures]'); "
        "without it send PNG, JPEG or another kind that Pillow reads"
    )
