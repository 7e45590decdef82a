"""Rows to try a model with: the task's example, and others of more sizes and lengths."""

from __future__ import annotations

import io
import itertools
import wave
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ..backends.company import TEXTS
from ..base import Task, TaskInput

#: Pictures of several shapes, a usual photograph first: width, height.
_PICTURES = ((640, 480), (333, 250), (48, 64), (300, 90))

#: Milliseconds of sounds, a usual one first.
_SOUNDS = (3000, 1000, 700, 5300)

_RATE = 16_000

#: One that is longer than many models read: over 512 words.
_LONG = " ".join(TEXTS * 16)

_SPOKEN = (*TEXTS, _LONG)


def compared(task: Task) -> list[TaskInput]:
    """Rows whose answers are compared; the longest texts among them are cut by most models."""
    return [*task.example.input.rows(), *_varied(task, range(len(_SPOKEN)))]


def timed(task: Task, count: int) -> list[TaskInput]:
    """So many usual rows: photographs, sounds of some seconds, sentences of three lengths."""
    usual = [*_varied(task, range(len(TEXTS)), same_size=True)] or task.example.input.rows()
    return list(itertools.islice(itertools.cycle(usual), count))


def _varied(task: Task, numbers: Sequence[int], *, same_size: bool = False) -> Iterator[TaskInput]:
    """The example's first row with other pictures, sounds and texts in their places."""
    first = task.example.input.rows()[0]
    fields = {
        spec.field: spec.content
        for spec in task.inputs
        if spec.field in task.input.ROWS and getattr(first, spec.field)
    }
    for number in numbers:
        changed = {}
        for field, content in fields.items():
            (entry,) = getattr(first, field)
            other = _other(content, entry, number, 0 if same_size else number)
            if other is not None:
                changed[field] = [other]
        if changed:
            yield first.model_copy(update=changed)


def _other(content: str, entry: object, number: int, size: int) -> bytes | str | None:
    """Another entry of its kind; None for what is left as it is."""
    if content == "image" and isinstance(entry, bytes):
        return picture(*_PICTURES[size], seed=number)
    if content == "audio" and isinstance(entry, bytes):
        return sound(_SOUNDS[size], seed=number)
    if content == "text" and isinstance(entry, str):
        # Behind its own text, which may hold what the task looks for: a mask, an instruction.
        return f"{entry} {_SPOKEN[number]}"
    return None


def picture(width: int, height: int, *, seed: int) -> bytes:
    """A JPEG of smooth noise: sharp noise would hide nothing, flat colour would hide all."""
    shape = (max(2, height // 8), max(2, width // 8), 3)
    small = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def sound(milliseconds: int, *, seed: int) -> bytes:
    """A WAV file of quiet noise."""
    count = _RATE * milliseconds // 1000
    noise = np.random.default_rng(seed).normal(0, 2000, count).clip(-32768, 32767)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(noise.astype("<i2").tobytes())
    return buffer.getvalue()
