"""Kaldi's picture of a sound: logarithms of the energies of overlapping bands (Povey et al., 2011),
as the audio spectrogram transformer takes them.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]

#: Samples of a frame and from one to the next at 16 kHz, and how many its transform takes.
FRAME, HOP, _FFT = 400, 160, 512

#: How much of the sample before is taken off each.
_PREEMPHASIS = 0.97

#: Lowest frequency of the lowest band; the least energy there is.
_LEAST_HZ, _FLOOR = 20.0, 1.192092955078125e-07


def log_fbank(samples: Floats, *, mels: int, rate: int) -> Floats:
    """(frames, mels) of a sound of one frame at least."""
    view = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), FRAME)[::HOP]
    frames = view - view.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - _PREEMPHASIS * before) * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames, n=_FFT, axis=1)) ** 2  # (frames, bins)
    picture: Floats = np.log(np.maximum(power @ _bands(mels, rate), _FLOOR)).astype(np.float32)
    return picture


@functools.cache
def _bands(mels: int, rate: int) -> _Doubles:
    """Triangles on Kaldi's mel scale, (bins, mels)."""
    edges = np.linspace(_mel(_LEAST_HZ), _mel(rate // 2), mels + 2)
    bins = _mel(np.linspace(0, rate / 2, _FFT // 2 + 1))[:, None]
    widths = np.diff(edges)
    rising, falling = (bins - edges[:-2]) / widths[:-1], (edges[2:] - bins) / widths[1:]
    triangles: _Doubles = np.maximum(0, np.minimum(rising, falling))
    return triangles


def _mel(hertz: float | _Doubles) -> _Doubles:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))
