"""Kinds of picture files that Pillow alone does not read, by the first bytes."""

from __future__ import annotations

from typing import NamedTuple

from .signatures import SIGNATURES


class RareKind(NamedTuple):
    """A kind of picture file that is read by a package of the extra `pictures`."""

    name: str
    #: For people.
    title: str


PDF = RareKind("pdf", "PDF")
HEIF = RareKind("heif", "HEIC or HEIF")
JPEG_XL = RareKind("jpeg_xl", "JPEG XL")
DICOM = RareKind("dicom", "DICOM")

#: Readers find a PDF's head behind other bytes, so far.
_PDF_HEAD = 1024

#: A codestream of JPEG XL, and a file of boxes around one.
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

#: Brands of pictures in HEVC; the last two are of any pictures, so that an AVIF may begin so.
_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF = frozenset({b"avif", b"avis"})


def rare_kind(data: bytes) -> RareKind | None:
    """The kind of a picture file that Pillow does not open, with whatever plugin."""
    if data.startswith(_JPEG_XL):
        return JPEG_XL
    if data[128:132] == b"DICM":
        return DICOM
    # Pictures may hold these bytes further on, in a note or a profile.
    head = data.find(b"%PDF-", 0, _PDF_HEAD)
    return PDF if head == 0 or (head > 0 and not data.startswith(_OTHERS)) else None


#: How the pictures begin that Pillow reads and that may hold notes near their head.
_OTHERS = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"RIFF", b"BM", b"II", b"MM", b"P", b"\0\0")


def is_heif(data: bytes) -> bool:
    """Whether it is a picture in HEVC, which Pillow opens with a plugin."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF and not _brands(data) & _AVIF


def _brands(data: bytes) -> set[bytes]:
    end = min(len(data), int.from_bytes(data[:4]))
    return {data[at : at + 4] for at in (8, *range(16, end, 4))}


def is_single(data: bytes) -> bool:
    """Whether the head tells at once that a picture has no further pages or frames."""
    if data.startswith(b"\x89PNG"):
        return b"acTL" not in data[: max(0, data.find(b"IDAT"))]
    if data.startswith(b"RIFF"):
        return data[12:16] != b"VP8X" or not data[20:21] or not data[20] & _ANIMATED
    return data.startswith(_SINGLE)


_SINGLE = tuple(each.begins for each in SIGNATURES if each.single)

#: The bit of an extended WebP's head that says that it moves.
_ANIMATED = 0b10
