"""Small pictures for a page: of images, and of masks to lay over them. Pillow and numpy."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ....protocol.errors import RowError
from ....tasks.annotations.near_duplicates import CELLS, HASHED_SIDE, SeenPicture, hash_of
from ....tasks.media.decode import decode
from ....tasks.media.kinds import is_heif, rare_kind
from ....tasks.media.rgb import rgb
from ....tasks.media.size import FORMATS, displayed_size
from ..formats.painted import painted
from .colours import Colour

#: Pixels of a picture's longer side.
SIDE = 320

#: Bytes of a picture and of an overlay: 24 of each stay below 2 MB as data URIs.
_MAX_PICTURE, _MAX_OVERLAY = 36_000, 24_000

#: Larger images have no picture: to read one takes too much memory for a look.
_MAX_PIXELS = 50_000_000

#: Steps of JPEG quality down to what fits.
_QUALITIES = (80, 60, 40, 20)

#: How much of the image a mask hides, of 255, and its rim.
_FILL, _RIM = 110, 255

#: A palette holds 256 colours: two for each item, and one that shows nothing.
_MAX_ITEMS = 127


class Thumbnail(NamedTuple):
    """A small picture as a file, and the width and height of the image that it shows, upright."""

    file: bytes
    size: tuple[int, int]
    #: What is seen in it.
    look: SeenPicture


def thumbnail(data: bytes, side: int = SIDE) -> Thumbnail | None:
    """A small picture of an image file; None where it cannot be read or is too large.

    `side` is the longer side's pixels.
    """
    if not data:
        return None
    try:
        small, is_photograph = _read_small(data, side)
        size = displayed_size(data) if small else None
        if small is None or size is None:
            return None
        written = _photograph(small) if is_photograph else _written(small)
        return Thumbnail(written, size, _look(small))
    except Exception:  # Pillow's readers raise many kinds on broken files, and warn of bombs
        return None


def look_at(data: bytes) -> SeenPicture | None:
    """What is seen in an image file, without a small picture of it; None as for `thumbnail`."""
    try:
        small, _ = _read_small(data, 2 * HASHED_SIDE)
        return _look(small) if small else None
    except Exception:  # likewise
        return None


def _read_small(data: bytes, side: int) -> tuple[Image.Image | None, bool]:
    """An image file no larger than that, upright, and whether it is a photograph."""
    if is_heif(data) or rare_kind(data):
        small = decode(data, _MAX_PIXELS)
        small.thumbnail((side, side))
        return small, True
    with Image.open(io.BytesIO(data), formats=FORMATS) as file:
        if file.width * file.height > _MAX_PIXELS:
            return None, False
        kind = file.format
        file.draft("RGB", (side, side))  # a JPEG is read at a fraction of its size
        ImageOps.exif_transpose(file, in_place=True)
        small = file if file.mode == "L" else rgb(file)
        small.thumbnail((side, side))
        return small.copy() if small is file else small, kind == "JPEG"


def _look(small: Image.Image) -> SeenPicture:
    size = (HASHED_SIDE, HASHED_SIDE)
    square = small.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    cells = square.convert("RGB").resize((CELLS, CELLS), Image.Resampling.BOX)
    return SeenPicture(hash_of(np.asarray(square.convert("L"))), cells.tobytes())


def overlay(items: Sequence[Any], size: tuple[int, int], colours: Sequence[Colour]) -> bytes:
    """A PNG of masks, see-through, each in its colour with a rim; b"" where they do not fit."""
    items = items[:_MAX_ITEMS]
    try:
        owner = painted(items, size)
    except RowError:
        return b""
    palette = [0, 0, 0] + [part for colour in colours[: len(items)] for part in colour.rgb * 2]
    alpha = bytes([0] + [_FILL, _RIM] * len(items))
    step = max(1, -(-max(owner.shape) // SIDE))
    while True:
        image = Image.fromarray(_rimmed(owner[step // 2 :: step, step // 2 :: step]))
        image.putpalette(palette)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", transparency=alpha, optimize=True)
        if buffer.tell() <= _MAX_OVERLAY:
            return buffer.getvalue()
        step *= 2


def _rimmed(owner: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Indices into the palette (H, W): 0 for none, 2k - 1 for item k, 2k for its rim."""
    after = np.pad(owner, ((0, 1), (0, 1)), "edge")
    rim = (owner != after[:-1, 1:]) | (owner != after[1:, :-1])  # one line, whoever's it is
    return np.where(owner > 0, 2 * owner - ~rim, 0).astype(np.uint8)


def _written(image: Image.Image) -> bytes:
    """A drawing as PNG, a photograph as JPEG, of bounded size."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue() if buffer.tell() <= _MAX_PICTURE // 2 else _photograph(image)


def _photograph(image: Image.Image) -> bytes:
    """A JPEG of bounded size."""
    file = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        file = buffer.getvalue()
        if len(file) <= _MAX_PICTURE:
            break
    return file
