"""Files that are many rows: frames of films and of moving pictures, pages of documents.

They are decoded as they are read, one at a time. A frame becomes a picture file that has the same
bytes in every run, so that its row is known again by its content.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ....protocol.errors import RowError
from ....tasks.media.containers import Container, container
from ....tasks.media.kinds import PDF, is_single, rare_kind
from ..rows import SampledFrame
from .sampling import WHICH_FRAMES, Sampling

if TYPE_CHECKING:
    from PIL.Image import Image

#: Rows that are told by time, of one film, at most. It may have ten times as many frames, nine
#: hours at 60 a second, of which each takes some 150 bytes here until the film is read.
_MOST_ROWS = 200_000

#: Bytes that tell a film's kind.
_HEAD = 512

#: A frame of a film is a JPEG of this quality, with whole colours: 12 ms and 0.7 MB for a noisy one
#: of 1920 x 1080, by 1 of 256 from what was decoded in the mean and by 6 in the worst of a thousand
#: values, less than the film's own codec took. PNG: 150 ms, 2.5 MB; lossless WebP: 100 ms, 1.7 MB.
_QUALITY = 95

#: Pages and drawings are lossless, and stay so: zlib's quickest level.
_LEVEL = 1

#: Decimals of a time in an id, and for films whose frames follow each other as fast as that.
_DIGITS, _FINE_DIGITS, _FINE_S = 3, 9, 0.0011


class FrameRow(NamedTuple):
    """A frame or page as a row."""

    id: str
    frame: SampledFrame
    #: A picture file.
    picture: bytes


class ManyRows(ABC):
    """A file's frames or pages, as far as they are rows; none is decoded yet."""

    #: Which they are, by number from 0.
    numbers: Sequence[int]
    #: Frames or pages of the file, rows or not.
    total: int
    #: Whether the file is one row as it is: of a picture's frames the first is all that is wanted.
    is_one_row: bool = False

    @abstractmethod
    def rows(self, file: str) -> Iterator[FrameRow]:
        """Each of them, under the file's name. Raises RowError where it cannot be read on."""


def many_rows(file: bytes | BinaryIO, sampling: Sampling) -> ManyRows | None:
    """The rows of a picture file or a film; None for a file that is one row as it is.

    An open file is to stay open until its rows are read. Raises RowError for a film of which
    nobody says which frames are rows, and for one or a document that cannot be read at all.
    """
    head = file[:_HEAD] if isinstance(file, bytes) else _head(file)
    if kind := container(head):
        return _FilmRows(file, kind, sampling)
    data = file if isinstance(file, bytes) else file.read()
    if is_single(data):
        return None
    try:
        pages = _PageRows(data, sampling)
    except RowError:
        if rare_kind(data) is PDF:
            raise  # else its first page would be answered, where the server reads it
        return None  # whoever answers the row says what is wrong with it
    return pages if pages.total > 1 or pages.is_document else None


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    return head


class _FilmRows(ManyRows):
    def __init__(self, file: bytes | BinaryIO, kind: Container, sampling: Sampling) -> None:
        if not sampling.asked:
            raise RowError(f"it is a film ({kind.title}): {WHICH_FRAMES}")
        try:
            from ....tasks.media.films import Film  # FFmpeg's libraries may not be there
        except ImportError:
            raise RowError(
                f"{kind.title} is read with the extra media (pip install 'wherry[media]')"
            ) from None
        from ....tasks.vision.images import MAX_PIXELS

        fps = 1 / sampling.every_s if sampling.every_s else None
        most = MAX_PIXELS * _MOST_ROWS  # a frame is held at a time, however many there are
        self._film = Film(file, kind, MAX_PIXELS, most, fps, max_frames=_MOST_ROWS)
        self.total = self._film.total
        numbers = self._film.numbers
        places: Sequence[int] = range(len(numbers))
        if fps:  # a film of fewer frames than are asked for shows some of them several times
            places = [next(same) for _, same in groupby(places, numbers.__getitem__)]
        self._taken = _taken(places, sampling.step)
        self.numbers = [numbers[place] for place in self._taken] if fps else self._taken

    def rows(self, file: str) -> Iterator[FrameRow]:
        times = [self._film.times[place] for place in self._taken]
        is_fine = any(after - before < _FINE_S for before, after in pairwise(times))
        digits = _FINE_DIGITS if is_fine else _DIGITS
        images = self._film.frames(self._taken)
        for number, time_s, image in zip(self.numbers, times, images, strict=True):
            frame = SampledFrame(file, number, self.total, round(time_s, 6))
            yield FrameRow(f"{file}#t={time_s:.{digits}f}", frame, _jpeg(image))


class _PageRows(ManyRows):
    """What is not asked for is a document's every page, and a picture's first."""

    def __init__(self, data: bytes, sampling: Sampling) -> None:
        from ....tasks.media.pages import open_pages  # Pillow and numpy

        self._pages = open_pages(data)
        self.total = self._pages.count
        self.is_document = rare_kind(data) is PDF
        step = int(self.is_document) if sampling.step is None else sampling.step
        self.numbers = _taken(range(self.total), step)
        self.is_one_row = not self.is_document and step == 0

    def rows(self, file: str) -> Iterator[FrameRow]:
        for number, image in zip(self.numbers, self._pages.images(self.numbers), strict=True):
            page = number + 1 if self.is_document else None  # as links into documents count
            frame = SampledFrame(file, number, self.total, page=page)
            fragment = f"page={page}" if page else f"frame={number}"
            yield FrameRow(f"{file}#{fragment}", frame, _png(image))


def _taken(all_: Sequence[int], step: int | None) -> Sequence[int]:
    return all_[:1] if step == 0 else all_[:: step or 1]


def _jpeg(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=_LEVEL)
    return buffer.getvalue()
