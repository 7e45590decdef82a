"""What was said and when, of an answer that tells it in parts: cues of subtitles, words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ....protocol.errors import RowError
from ....tasks.annotations.fits import timed_field
from ....tasks.base import Task
from ..rows import Annotation
from .records import record_of
from .text import xml_text

#: The parameter that a model tells times with.
TIMES = "return_timestamps"

#: Words become a cue of two lines of 42 characters and seven seconds at most, as broadcasters ask.
_MOST_CHARACTERS, _MOST_MS = 84, 7000
#: What a word lasts at most, on average; a sentence lasts longer.
_WORD_MS = 1000
#: A pause that ends a cue.
_PAUSE_MS = 1000
_SENTENCE_ENDS = (".", "!", "?", "\u3002", "\uff01", "\uff1f")


class Cue(NamedTuple):
    """A part of what was said; times in milliseconds from the sound's begin."""

    start: int
    end: int
    text: str


def parts_of(annotation: Annotation, task: Task) -> list[Cue]:
    """The parts of a row's answer, in the order of their begins, none of them empty or of no time.

    Raises RowError where something was said and the answer does not tell when.
    """
    chunks = getattr(annotation.output, timed_field(task))[0] or []
    if not chunks and record_of(annotation, task).get("text", "").strip():
        raise RowError(f"its answer tells no times; the parameter {TIMES}=true asks for them")
    parts = [_part(chunk.text, chunk.start, chunk.end) for chunk in chunks]
    return sorted((part for part in parts if part.text), key=lambda part: part.start)


def cues_of(annotation: Annotation, task: Task) -> Iterator[Cue]:
    """What subtitles show: the parts, or lines of them where each is a word. Raises RowError."""
    parts = parts_of(annotation, task)
    if not _are_words(parts):
        yield from parts
        return
    line: list[Cue] = []
    for part in parts:
        if line and _is_full(line, part):
            yield _joined(line)
            line = []
        line.append(part)
    if line:
        yield _joined(line)


def words_of(part: Cue) -> Iterator[Cue]:
    """The words of a part, which share its time by their lengths."""
    words = part.text.split()
    ends = [sum(map(len, words[:count])) for count in range(len(words) + 1)]
    times = [part.start + round((part.end - part.start) * end / ends[-1]) for end in ends]
    for word, (start, end) in zip(words, pairwise(times), strict=True):
        yield Cue(start, end, word)


def _are_words(parts: list[Cue]) -> bool:
    """Whether each is a word; not every script has blanks between words, but words are short."""
    lasting = sum(part.end - part.start for part in parts)
    return not any(" " in part.text for part in parts) and lasting < len(parts) * _WORD_MS


def _part(text: str, start: float | None, end: float | None) -> Cue:
    if start is None or end is None or not math.isfinite(start + end):
        raise RowError("a part of its answer has no time")
    begin = max(0, round(start * 1000))
    return Cue(begin, max(begin + 1, round(end * 1000)), " ".join(xml_text(text).split()))


def _is_full(line: list[Cue], word: Cue) -> bool:
    length = sum(len(one.text) + 1 for one in line) + len(word.text)
    last = line[-1]
    return (
        length > _MOST_CHARACTERS
        or word.end - line[0].start > _MOST_MS
        or word.start - last.end >= _PAUSE_MS
        or last.text.endswith(_SENTENCE_ENDS)
    )


def _joined(line: Iterable[Cue]) -> Cue:
    words = list(line)
    last = max(word.end for word in words)
    return Cue(words[0].start, last, " ".join(word.text for word in words))
