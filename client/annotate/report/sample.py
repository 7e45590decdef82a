"""The rows that a report shows: those with the smallest keys, whatever order the rows come in.

A key is a hash of its row's content, so the smallest are an even draw without a random number
(min-wise hashing, Broder 1997), and rows that are equal count once.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....tasks.base import Task, TaskOutput
from ..ledger import Ledger, Sampled
from ..rows import SourceRow
from ..stored_answers import StoredAnswers
from .thumbnails import thumbnail

#: Rows of a report.
SAMPLED = 24

#: Characters kept of a row's text, and of a value of JSON.
_EXCERPT = 2000


@dataclass(frozen=True, slots=True)
class Sample:
    """A row to show."""

    id: str
    #: A small PNG or JPEG of its image; b"" without one.
    picture: bytes
    #: Width and height of the image itself, upright, in pixels.
    size: tuple[int, int]
    #: Field of the Input -> the begin of what it holds.
    texts: Mapping[str, str]
    #: One row's answer; None for a row that failed.
    output: TaskOutput | None
    error: str = ""


class Sampler:
    """Keeps the sample in the ledger while rows are placed. Holds keys, no rows."""

    def __init__(self, ledger: Ledger, task: Task, most: int = SAMPLED) -> None:
        self._ledger, self._task, self._most = ledger, task, most
        self._keys: list[bytes] = []  # sorted

    def offer(self, position: int, row: SourceRow, key: bytes) -> None:
        """Take a row into the sample if its key is small enough."""
        place = bisect_left(self._keys, key)
        if place == self._most or key in self._keys[place : place + 1]:
            return
        picture = thumbnail(_image(self._task, row))
        width, height = picture.size if picture else (0, 0)
        self._ledger.keep_sample(
            Sampled(
                key,
                position,
                row.id,
                picture.file if picture else b"",
                width,
                height,
                json.dumps(_texts(self._task, row)),
            )
        )
        self._keys.insert(place, key)
        if len(self._keys) > self._most:
            self._ledger.drop_sample(self._keys.pop())


def samples(ledger: Ledger, task: Task) -> list[Sample]:
    """The sample with its answers, in the source's order."""
    answers = StoredAnswers(ledger, task)
    return [
        Sample(
            id=kept.id,
            picture=kept.picture,
            size=(kept.width, kept.height),
            texts=json.loads(kept.texts),
            output=None if answer is None else answers.read(answer),
            error=error,
        )
        for kept, answer, error in ledger.samples()
    ]


def _image(task: Task, row: SourceRow) -> bytes:
    """The row's image, of a video the first; b"" without one."""
    for spec in task.inputs:
        value = row.values.get(spec.field)
        first = value[0] if isinstance(value, list) and value else value
        if spec.content == "image" and isinstance(first, bytes):
            return first
    return b""


def _texts(task: Task, row: SourceRow) -> dict[str, str]:
    fields = [spec.field for spec in task.inputs if spec.content in ("text", "json")]
    return {field: _excerpt(row.values[field]) for field in fields if field in row.values}


def _excerpt(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:_EXCERPT] + "…" * (len(text) > _EXCERPT)
