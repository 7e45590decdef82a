"""How each task is tried: its rows, and transformers' documented call for them."""

from __future__ import annotations

from . import pictures, text, writing
from .base import Trial

TRIALS: dict[str, type[Trial]] = {**text.TRIALS, **writing.TRIALS, **pictures.TRIALS}
