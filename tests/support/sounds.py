"""Sounds that differ: lengths, pitch, noise."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000


def tone(seconds: float, pitch_hz: float, rate: int = RATE) -> NDArray[np.float32]:
    """A rising tone in noise."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(int(pitch_hz)).normal(size=len(t))
    return (0.5 * np.sin(2 * np.pi * pitch_hz * t * (1 + t / 7)) + 0.1 * noise).astype(np.float32)


def tones() -> list[NDArray[np.float32]]:
    """Of three lengths, two of them alike."""
    return [tone(1, 440), tone(0.3, 200), tone(2.5, 1000), tone(1, 700)]


def file(samples: NDArray[np.float32], rate: int = RATE, kind: str = "WAV") -> bytes:
    """A sound file. samples: (n,) or (n, channels)."""
    buffer = io.BytesIO()
    subtype = "FLOAT" if kind == "WAV" else None
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()
