"""Which frames or pages of a file are rows: what is asked, and for which tasks it can be."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass

from ....protocol.errors import InvalidRequest
from ....tasks.base import Task
from ....tasks.tensors import TensorSpec
from ...errors import UsageError

#: What is said of a film where nobody says which of its frames are rows.
WHICH_FRAMES = (
    "say which frames are rows: --every 1s takes one a second, --frames N every N-th "
    "(all: each, first: one)"
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of each file are rows; without a word a film is none, a picture its first."""

    #: Seconds of a film from one to the next.
    every_s: float | None = None
    #: Every so many frames; 0: the first alone.
    step: int | None = None

    @property
    def asked(self) -> bool:
        """Whether anything is said."""
        return self.every_s is not None or self.step is not None

    @property
    def told(self) -> str | None:
        """As one word; None where nothing is said."""
        if self.every_s is not None:
            return f"every {self.every_s:g} s"
        words = {None: None, 0: "first", 1: "all"}
        return words.get(self.step, str(self.step))


#: Nothing is said.
USUAL = Sampling()


def sampling_of(task: Task, every: float | None, frames: str | int | None) -> Sampling:
    """What `every` and `frames` ask for. Raises UsageError; InvalidRequest without the package."""
    if every is None and frames is None:
        return USUAL
    name = "frames" if every is None else "every"
    if every is not None and frames is not None:
        raise UsageError("every, frames: both say which frames are rows: give one")
    if not any(is_one_picture(spec) for spec in task.inputs):
        raise UsageError(f"{name}: {task.name} takes no picture a row: a file is one row of it")
    if every is None:
        return Sampling(step=_step(frames))
    if not (0 < every < math.inf):
        raise UsageError(f"every: expected seconds over 0, got {every:g}")
    if importlib.util.find_spec("av") is None:
        raise InvalidRequest("every: films are read with the extra media (wherry[media])")
    return Sampling(every_s=every)


def _step(frames: str | int | None) -> int:
    words = {"first": 0, "all": 1}
    if isinstance(frames, str) and frames in words:
        return words[frames]
    number = int(frames) if isinstance(frames, str) and frames.isascii() and frames.isdigit() else 0
    step = frames if isinstance(frames, int) and not isinstance(frames, bool) else number
    if step < 1:
        raise UsageError(
            f"frames: expected first, all, or a number N for every N-th, got {frames!r}"
        )
    return step


def is_one_picture(spec: TensorSpec) -> bool:
    """Whether each row of an input is one picture, which a frame of a film can be."""
    return spec.content == "image" and len(spec.shape) == 1
