"""Files as phones, browsers and cameras write them: sound and films through FFmpeg's encoders."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray


def sound(
    samples: NDArray[np.float32],
    kind: str,
    codec: str,
    *,
    rate: int = 48_000,
    options: Mapping[str, str] | None = None,
) -> bytes:
    """A sound file of FFmpeg's format `kind`. samples: (n,) or (n, channels)."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options=dict(options or {})) as container:
        _speak(container, _voice(container, samples, codec, rate), samples)
    return file.getvalue()


def film(
    pictures: Iterable[NDArray[np.uint8]],
    kind: str = "mp4",
    codec: str = "libx264",
    *,
    fps: int = 10,
    at: Sequence[int] | None = None,
    title: str = "",
    samples: NDArray[np.float32] | None = None,
    rate: int = 48_000,
) -> bytes:
    """A film of pictures (height, width, 3), with sound where `samples` are given.

    `at` says when each is shown, in frames of `fps` a second; one after the other if None.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        container.metadata["title"] = title
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, VideoStream)
        voice = None if samples is None else _voice(container, samples, "aac", rate)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if not number:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
            frame.pts, frame.time_base = at[number] if at else number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None and samples is not None:
            _speak(container, voice, samples)
    return file.getvalue()


def _voice(
    container: OutputContainer, samples: NDArray[np.float32], codec: str, rate: int
) -> AudioStream:
    layout = "stereo" if samples.ndim == 2 else "mono"
    stream = container.add_stream(codec, rate=rate, layout=layout)
    assert isinstance(stream, AudioStream)
    stream.codec_context.bit_rate = 128_000
    stream.codec_context.open()
    return stream


def _speak(container: OutputContainer, stream: AudioStream, samples: NDArray[np.float32]) -> None:
    context, layout = stream.codec_context, stream.layout
    planes = np.ascontiguousarray(samples.reshape(len(samples), -1).T)
    frame = av.AudioFrame.from_ndarray(planes, "fltp", layout)
    frame.sample_rate, frame.pts, frame.time_base = stream.rate, 0, Fraction(1, stream.rate)
    into = AudioResampler(context.format, layout, stream.rate, context.frame_size or None)
    for part in [*into.resample(frame), *into.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))
