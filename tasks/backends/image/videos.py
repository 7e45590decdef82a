"""Videos to frames: the one place that knows what a video may be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from PIL import Image, ImageOps

from ....protocol.errors import RowError
from ...media.containers import Container, container
from ...media.decode import decode, faults_told, open_image
from ...media.rgb import rgb
from ...vision.video_mask_generation import MAX_FRAMES
from ..sizes import Size

if TYPE_CHECKING:
    from ...media.films import Film

#: What Pillow reads moving pictures of. The pages of a TIFF are no frames.
_MOVING = ("AVIF", "GIF", "PNG", "WEBP")


class FrameSource(Protocol):
    """A video of which nothing is decoded yet."""

    #: How many frames it has.
    count: int
    #: Seconds from its start at which each is shown; [] where nothing tells.
    times: Sequence[float]

    def frames(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """The frames of these numbers, in rising order, as upright RGB images of one size.

        One that is wanted several times comes as often. Raises RowError.
        """
        ...


class _Pictures(ABC):
    """Frames that are pictures of their own."""

    times: Sequence[float] = ()

    def frames(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """As every source of frames has it."""
        size: Size | None = None
        image: Image.Image | None = None
        last = -1
        for number in wanted:
            if image is None or number != last:
                image, last = self._frame(number), number
                size = size or image.size
                check_size(number, image.size, size)
            yield image

    @abstractmethod
    def _frame(self, number: int) -> Image.Image:
        """One frame; the next is asked for in rising order. Raises RowError."""


def open_video(
    files: Sequence[bytes], max_pixels: int, most: int, fps: float | None = None
) -> FrameSource:
    """A video of image files, a frame each, or of one file of a film or a moving picture.

    `fps` is for films: how many frames a second are taken, all if None. Raises RowError for a
    moving picture of more than MAX_FRAMES frames, or `most` pixels in all.
    """
    if len(files) > 1:
        return _Stills(files, max_pixels)
    if kind := container(files[0]):
        return _film(kind)(files[0], kind, max_pixels, most, fps)
    with faults_told(max_pixels):
        image = open_image(files[0], max_pixels)
        moves = image.format in _MOVING and getattr(image, "is_animated", False)
        return _Moving(image, max_pixels, most) if moves else _Stills(files, max_pixels)


def check_size(number: int, size: Size, first: Size) -> None:
    """Raise RowError for a frame that has not the first one's size."""
    if size != first:
        raise RowError(f"frame {number}: {size} pixels, where frame 0 has {first}")


def _film(kind: Container) -> type[Film]:
    try:
        from ...media.films import Film
    except ImportError:
        raise RowError(
            f"{kind.title} is read with the extra media (pip install 'wherry[media]'); without it "
            "a video is its frames, or an animated GIF, WebP, AVIF or PNG"
        ) from None
    return Film


class _Stills(_Pictures):
    """Image files, a frame each."""

    def __init__(self, files: Sequence[bytes], max_pixels: int) -> None:
        self._files, self._max_pixels, self.count = files, max_pixels, len(files)

    def _frame(self, number: int) -> Image.Image:
        try:
            return decode(self._files[number], self._max_pixels)
        except RowError as error:
            raise RowError(f"frame {number}: {error.message}") from None


class _Moving(_Pictures):
    """A moving picture, whose frames are changes to those before."""

    def __init__(self, image: Image.Image, max_pixels: int, most: int) -> None:
        # Of a PNG's frames the first may be for those who show none of the others.
        self._skipped = 1 if image.info.get("default_image") else 0
        self._image, self._max_pixels, self._size = image, max_pixels, image.size
        self.count = int(getattr(image, "n_frames", 1)) - self._skipped
        self._at = -1
        pixels = self.count * image.width * image.height
        if self.count > MAX_FRAMES:
            raise RowError(f"the video has {self.count} frames; {MAX_FRAMES} are allowed")
        if pixels > most:
            raise RowError(f"the video's frames have {pixels} pixels in all; {most} are allowed")

    def frames(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """Read on to the last: in a file that is cut short it is broken."""
        yield from super().frames(wanted)
        self._frame(self.count - 1)

    def _frame(self, number: int) -> Image.Image:
        with faults_told(self._max_pixels):
            for at in range(self._at + 1, number + 1):
                self._image.seek(at + self._skipped)
                check_size(at, self._image.size, self._size)  # a GIF's may grow, before it is read
            self._at = number
            return rgb(ImageOps.exif_transpose(self._image))
