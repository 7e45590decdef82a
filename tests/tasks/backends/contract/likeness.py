"""Whether two answers are the same, but for what rounding does to numbers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
from PIL import Image

#: How far numbers may be apart, and in parts of themselves.
TOLERANCE = 1e-3

#: Pixels at the edge of a box or a class may fall to either side.
_PIXELS = 0.002


def unlike(one: Any, other: Any, at: str = "") -> str:
    """Where two answers part, and how; "" when they are alike. Words are the same or they part."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{at}: {sorted(one)} / {sorted(other)}"
        parts = (unlike(one[key], other[key], f"{at}.{key}") for key in one)
        return next(filter(None, parts), "")
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return f"{at}: {len(one)} / {len(other)} entries"
        parts = (unlike(*pair, f"{at}[{i}]") for i, pair in enumerate(zip(one, other, strict=True)))
        return next(filter(None, parts), "")
    if isinstance(one, bytes) and isinstance(other, bytes):
        return "" if one == other or _are_like(one, other) else f"{at}: bytes"
    if isinstance(one, float) and isinstance(other, float):
        near = abs(one - other) <= TOLERANCE * max(1.0, abs(one))
        return "" if near else f"{at}: {one} / {other}"
    return "" if one == other else f"{at}: {one!r} / {other!r}"


def _are_like(one: bytes, other: bytes) -> bool:
    """Of two files, or of floats as they lie in memory."""
    if one[:4] != other[:4] and len(one) != len(other):
        return False
    if one.startswith(b"\x89PNG"):
        left, right = (np.asarray(Image.open(io.BytesIO(f))).astype(int) for f in (one, other))
        return left.shape == right.shape and float((abs(left - right) > 2).mean()) <= _PIXELS
    if one.startswith(b"RIFF"):
        heard, said = (soundfile.read(io.BytesIO(file))[0] for file in (one, other))
        return heard.shape == said.shape and bool(np.allclose(heard, said, atol=TOLERANCE))
    if len(one) != len(other) or len(one) % 4:
        return False
    return np.allclose(np.frombuffer(one, "<f4"), np.frombuffer(other, "<f4"), atol=TOLERANCE)
