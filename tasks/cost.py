"""What a row weighs before it is decoded: pixels of images, tokens of text, milliseconds of sound.

An estimate from headers and lengths, cheap enough to make for every request; the backends hold the
decoded row against their own limits.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal

import imagesize  # type: ignore[import-untyped] # it ships no types

from ..protocol.elements import utf8_size
from .audio import headers
from .media.jpeg_head import JPEG, read_jpeg_head
from .media.jpeg_xl_head import read_head
from .media.kinds import JPEG_XL, is_heif, rare_kind

Unit = Literal["pixels", "tokens", "milliseconds"]

#: Bytes of a HEIF file before its pixels, at most.
_HEAD = 1 << 16

#: Pixels that a page of a document or of DICOM weighs: A4 as it is drawn if nothing else is said. A
#: row of many pages goes through a model page by page.
_RARE = 1654 * 2339

#: Bytes of the header of a bitmap of OS/2 and of Windows before 3.0.
_CORE = struct.pack("<I", 12)

#: Bytes of text a token stands for, about: English in the common tokenizers.
_BYTES_PER_TOKEN = 4


def unit(contents: Iterable[str]) -> Unit:
    """The unit of a task whose inputs hold these contents: the heaviest decides."""
    found = set(contents)
    if "image" in found:
        return "pixels"
    return "milliseconds" if "audio" in found else "tokens"


def weigh(kind: Unit, content: str, entry: Any, sample_rate: int | None) -> int:
    """What one entry of a tensor weighs in its task's unit; text beside an image weighs nothing.

    `sample_rate` is that of sound sent as raw samples; files say their own.
    """
    if kind == "tokens":
        return _tokens(entry)
    if content == "image" and kind == "pixels":
        return sum(map(_pixels, entry)) if isinstance(entry, list) else _pixels(entry)
    if content == "audio" and kind == "milliseconds":
        return headers.milliseconds(entry, sample_rate)
    return 0


def _pixels(file: bytes) -> int:
    if is_heif(file):  # imagesize takes tiles for the whole
        return _largest(file)
    try:
        if (kind := rare_kind(file)) is JPEG_XL:
            width, height = read_head(file).size
        elif kind is not None:
            return _RARE
        else:
            width, height = _size(file)
    except Exception:
        return 0  # no image, or a broken one: the row's own error will say so
    return width * height


def _size(file: bytes) -> tuple[int, int]:
    """Width and height, in either order. Pillow takes two to nine times as long as imagesize: it is
    asked where that does not know (turned AVIF, icons, PFM).
    """
    if file.startswith(b"BM") and file[14:18] == _CORE:  # imagesize reads its two numbers as one
        width, height = struct.unpack_from("<HH", file.ljust(22, b"\0"), 18)
        return width, height
    if file.startswith(JPEG) and (head := read_jpeg_head(file)):
        return head.width, head.height
    with suppress(Exception):  # it raises many kinds
        width, height = imagesize.get(io.BytesIO(file))
        if width > 0 and height > 0:
            return int(width), int(height)
    from .media.size import displayed_size  # Pillow, which a client alone may lack

    return displayed_size(file) or (0, 0)


def _largest(heif: bytes) -> int:
    """Pixels of the largest picture that boxes of sizes tell of (ISO/IEC 23008-12, 6.5.3)."""
    found, at = 0, 0
    while (at := heif.find(b"ispe", at, _HEAD)) >= 0:
        width, height = struct.unpack_from(">II", heif[at + 8 : at + 16].ljust(8, b"\0"))
        found, at = max(found, width * height), at + 4
    return found


def _tokens(entry: Any) -> int:
    if isinstance(entry, str):
        return -(-utf8_size(entry, errors="replace") // _BYTES_PER_TOKEN)
    if isinstance(entry, dict):
        return sum(map(_tokens, entry.values()))
    if isinstance(entry, list | tuple):
        return sum(map(_tokens, entry))
    return 1
