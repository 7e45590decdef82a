"""Sounds in the formats that people keep them in, by FFmpeg's encoders (PyAV)."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec import Codec

#: Name -> the container and the encoder.
_FORMATS = {
    "aac": ("adts", "aac"),
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
}

#: Samples handed over at a time.
_PIECE = 65_536


def encoded(wav: bytes, name: str) -> bytes:
    """A WAV file of 16 bits as `aac`, `flac`, `mp3` or `opus`; at the nearest rate that the format
    has, from its own upwards.
    """
    container, encoder = _FORMATS[name]
    with wave.open(io.BytesIO(wav)) as sound:
        rate, channels = sound.getframerate(), sound.getnchannels()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        codec = Codec(encoder, "w")
        rates = sorted(codec.audio_rates or [rate])
        stream = out.add_stream(encoder, rate=next((r for r in rates if r >= rate), rates[-1]))
        assert isinstance(stream, AudioStream)
        layout = "mono" if channels == 1 else "stereo"
        stream.layout = layout
        for start in range(0, len(samples), _PIECE * channels):
            piece = samples[start : start + _PIECE * channels].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout=layout)
            frame.sample_rate = rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()
