"""Whisper's picture of a sound: a logarithmic mel spectrogram, its filters Slaney's."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]

#: Frequency that Slaney's scale is linear up to, in hertz and in mels, and its step beyond.
_KNEE_HZ, _KNEE_MEL, _STEP = 1000.0, 15.0, np.log(6.4) / 27.0

#: Highest frequency that Whisper hears.
_MAX_HZ = 8000.0


def log_mel(samples: Floats, *, mels: int, rate: int, n_fft: int, hop: int) -> Floats:
    """(mels, frames) of a sound, a frame each `hop` samples; about -1 to 1.

    The sound is mirrored at its ends, where windows reach beyond it.
    """
    edges = np.pad(samples.astype(np.float64), n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(edges, n_fft)[::hop][:-1]
    window = np.hanning(n_fft + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2  # (frames, bins)
    loud = np.log10(np.maximum(power @ filters(mels, rate, n_fft), 1e-10)).T
    quiet = np.maximum(loud, loud.max() - 8.0)
    picture: Floats = ((quiet + 4.0) / 4.0).astype(np.float32)
    return picture


@functools.cache
def filters(mels: int, rate: int, n_fft: int) -> _Doubles:
    """Triangles of equal area on the mel scale, (bins, mels)."""
    top = _KNEE_MEL + np.log(_MAX_HZ / _KNEE_HZ) / _STEP
    edges = _hertz(np.linspace(0.0, top, mels + 2))
    bins = np.linspace(0, rate // 2, 1 + n_fft // 2)
    slopes = edges[None] - bins[:, None]  # (bins, mels + 2)
    widths = np.diff(edges)
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    triangles: _Doubles = np.maximum(0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))


def _hertz(mels: _Doubles) -> _Doubles:
    beyond = _KNEE_HZ * np.exp(_STEP * (mels - _KNEE_MEL))
    return np.where(mels >= _KNEE_MEL, beyond, mels * _KNEE_HZ / _KNEE_MEL)
