"""Films to frames, through FFmpeg's libraries (PyAV)."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from ...protocol.errors import RowError
from ..vision.video_mask_generation import MAX_FRAMES
from .containers import Container
from .ffmpeg import opened

#: Frames, and pixels of all, that a film may have for each one that may be looked at: those between
#: are decoded, too, but not kept.
_FOR_EACH = 10

#: Pixels that a decoder may add at the edges, to whole blocks.
_EDGE = 1 << 20


class Film:
    """A film of which nothing is decoded yet: its frames are known by the times that they tell."""

    def __init__(
        self,
        data: bytes | BinaryIO,
        kind: Container,
        max_pixels: int,
        most: int,
        fps: float | None,
        *,
        max_frames: int | None = None,
    ) -> None:
        """`fps` takes so many frames a second, those shown at these times; None takes all.

        An open file is only read while frames are, and never held in full. Raises RowError for a
        file without pictures, a broken one, and one of more than 10 x `max_frames` frames
        (MAX_FRAMES if None), `max_pixels` a frame or 10 x `most` pixels in all.
        """
        looked_at = MAX_FRAMES if max_frames is None else max_frames
        self._data, self._kind = data, kind
        with self._opened() as (file, stream):
            self._size = width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > max_pixels:
                raise RowError(f"the film has {width} x {height} pixels; {max_pixels} are allowed")
            room = min(_FOR_EACH * looked_at, _FOR_EACH * most // max(1, width * height))
            self._stamps = _stamps(file, stream, room)
            step = float(stream.time_base or 1)
        shown = [(stamp - self._stamps[0]) * step for stamp in self._stamps]
        #: Of those that are taken, their numbers among all that are shown.
        self.numbers = range(len(shown)) if fps is None else _at_rate(shown, fps, looked_at)
        self.times: Sequence[float] = shown if fps is None else [shown[i] for i in self.numbers]
        self.count, self.total = len(self.times), len(shown)

    def frames(self, wanted: Sequence[int]) -> Iterator[Image.Image]:
        """The frames of these numbers, in rising order, as upright RGB images.

        One that is wanted several times comes as often. Raises RowError.
        """
        with self._opened() as (file, stream):
            shown = self._shown(file, stream)
            stamp, frame = next(shown, (0, None))
            after = next(shown, None)
            for number in wanted:
                at = self._stamps[self.numbers[number]]
                while after is not None and after[0] <= at:
                    (stamp, frame), after = after, next(shown, None)
                if frame is None or (after is None and stamp < at):
                    raise RowError(f"the film is broken or cut off before its frame {number}")
                yield _upright(frame)

    def _shown(self, file: InputContainer, stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
        """Frames as they are shown, each with its time."""
        stream.codec_context.options = {"max_pixels": str(self._size[0] * self._size[1] + _EDGE)}
        for number, frame in enumerate(file.decode(stream)):
            size = frame.width, frame.height
            if size != self._size:
                raise RowError(f"frame {number}: {size} pixels, where the film has {self._size}")
            stamp = frame.dts if frame.pts is None else frame.pts
            if self._kind.demuxer == "avi":  # it tells when frames are decoded, not when shown
                stamp = self._stamps[number] if number < len(self._stamps) else None
            if stamp is not None:
                yield stamp, frame

    def _opened(self) -> AbstractContextManager[tuple[InputContainer, VideoStream]]:
        return opened(self._data, self._kind, VideoStream, whole="film", holds="pictures")


def _stamps(file: InputContainer, stream: VideoStream, most: int) -> list[int]:
    """When each frame is shown, in the stream's time base, rising; without decoding one."""
    stamps: set[int] = set()
    for number, packet in enumerate(file.demux(stream)):
        stamp = packet.dts if packet.pts is None else packet.pts
        # What an edit leaves out is decoded, but never shown.
        if packet.size and stamp is not None and not packet.is_discard:
            stamps.add(stamp)
        if number > most:
            raise RowError(f"the film has over {most} frames, which are allowed for its size")
    if not stamps:
        raise RowError("the film has no frames")
    return sorted(stamps)


def _at_rate(shown: Sequence[float], fps: float, most: int) -> Sequence[int]:
    """The frames that are seen so often a second, the first one first."""
    if shown[-1] * fps >= most:
        raise RowError(
            f"the film lasts {shown[-1]:.1f} s: with fps {fps:g} it has over {most} frames, "
            "which are allowed"
        )
    count = int(shown[-1] * fps + 1e-6) + 1
    return [bisect.bisect_right(shown, k / fps + 1e-6) - 1 for k in range(count)]


def _upright(frame: VideoFrame) -> Image.Image:
    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    # Phones write films as the sensor lies, and beside them how to turn them.
    turned = frame.rotation and frame.rotation % 90 == 0
    return image.rotate(frame.rotation, expand=True) if turned else image
