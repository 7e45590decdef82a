"""Sounds that only FFmpeg's libraries read (PyAV): of phones, browsers, films and old players."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from ....protocol.errors import RowError
from ...audio.sounds import MAX_RATE, MIN_RATE
from ...media.containers import Container
from ...media.ffmpeg import opened

if TYPE_CHECKING:
    from av import AudioFrame
    from av.container import InputContainer


#: Planes that a frame has room for.
_PLANES = 8


@contextlib.contextmanager
def decoded(data: bytes, kind: Container) -> Iterator[tuple[int, Iterator[NDArray[np.float32]]]]:
    """The rate of a file's best sound stream, and its blocks of samples, (samples, channels).

    Raises RowError for a file without sound, and a broken one.
    """
    with opened(data, kind, AudioStream, whole="sound", holds="sound") as (file, stream):
        if not MIN_RATE <= stream.rate <= MAX_RATE:
            raise RowError(f"the sound has {stream.rate} samples per second")
        blocks = _blocks(file, stream)
        if file.format.name == "caf" and stream.codec_context.name == "alac":
            # Its last packet is short already, and FFmpeg would cut it by as much again.
            stream.codec_context.options = {"flags2": "+skip_manual"}
            blocks = _until(blocks, stream.duration)
        yield stream.rate, _whole(blocks, _seconds(file, stream), stream.rate)


def _until(blocks: Iterator[NDArray[np.float32]], end: int | None) -> Iterator[NDArray[np.float32]]:
    """The blocks, up to a sample where the file says which is the last."""
    heard = 0
    for block in blocks:
        yield block if end is None else block[: max(0, end - heard)]
        heard += len(block)


def _seconds(file: InputContainer, stream: AudioStream) -> float:
    """How long the sound is by its file's header; 0 where that does not say, or only guesses."""
    if "mov" in file.format.name and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if "matroska" in file.format.name and len(file.streams) == 1 and file.duration:
        return file.duration / av.time_base
    return 0.0


def _whole(
    blocks: Iterator[NDArray[np.float32]], seconds: float, rate: int
) -> Iterator[NDArray[np.float32]]:
    """The blocks; RowError after them when much is missing: FFmpeg goes on over gaps in silence."""
    heard = 0
    for block in blocks:
        heard += len(block)
        yield block
    if heard / rate < min(0.9 * seconds, seconds - 0.2):
        raise RowError(
            f"the file is broken or cut off: {heard / rate:.1f} of its {seconds:.1f} seconds "
            "of sound can be read"
        )


def _blocks(file: InputContainer, stream: AudioStream) -> Iterator[NDArray[np.float32]]:
    """Each frame's samples as floats at the stream's rate, whatever the frames change to."""
    seen: tuple[str, str, int] | None = None
    resampler: AudioResampler | None = None
    for frame in file.decode(stream):
        if _is_plain(frame, stream.rate):
            if resampler is not None:
                yield from map(_samples, resampler.resample(None))
                resampler = None
            yield np.asarray(frame.to_ndarray().T, np.float32)
            continue
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or form != seen:
            if resampler is not None:
                yield from map(_samples, resampler.resample(None))
            resampler, seen = AudioResampler("flt", frame.layout, stream.rate), form
        frame.pts = None
        yield from map(_samples, resampler.resample(frame))
    if resampler is not None:
        yield from map(_samples, resampler.resample(None))


def _is_plain(frame: AudioFrame, rate: int) -> bool:
    """Whether it holds floats already, a plane a channel, as those of AAC, Opus and Vorbis do."""
    return (
        frame.format.name == "fltp"
        and frame.sample_rate == rate
        and frame.layout.nb_channels <= _PLANES
    )


def _samples(frame: AudioFrame) -> NDArray[np.float32]:
    # Packed: sounds come with more channels than a frame has planes.
    return np.asarray(frame.to_ndarray().reshape(-1, frame.layout.nb_channels), np.float32)
