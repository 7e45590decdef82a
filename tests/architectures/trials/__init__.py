"""How each task is tried: its rows, and transformers' documented call for them."""

from __future__ import annotations

from . import conversing, others, pictures, sounds, text, videos, writing
from .base import Trial

#: By task, and by head where a task's heads are called in several ways.
TRIALS: dict[str, type[Trial]] = {
    **text.TRIALS,
    **writing.TRIALS,
    **pictures.TRIALS,
    **conversing.TRIALS,
    **sounds.TRIALS,
    **videos.TRIALS,
    **others.TRIALS,
    "poses": others.PoseEstimation,
}
