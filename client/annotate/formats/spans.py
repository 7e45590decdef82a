"""Marked parts of a text: none of them over another, and the words around them."""

from __future__ import annotations

import unicodedata
from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ....protocol.errors import RowError
from ....tasks.annotations.fits import items_of, kind_of
from ..rows import Annotation

#: What models call a token that is nothing.
_OUTSIDE = "O"
#: Characters that are no letters and join them: zero width joiner and non-joiner.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class MarkedSpan:
    """Characters `start` to `end` of a text, what they are, and how sure that is."""

    start: int
    end: int
    kind: str
    score: float


def spans_of(annotation: Annotation) -> list[MarkedSpan]:
    """A row's spans in the order of its text. Raises RowError for one that lies outside it.

    A model's own tokens are joined by their B- and I-. Blanks at a span's ends are left out. Of
    spans that share characters the surest stays, of equals the first.
    """
    found = [_trimmed(span, annotation.text) for span in _joined(items_of(annotation.output))]
    kept: list[MarkedSpan] = []
    for span in sorted(found, key=lambda span: -span.score):
        place = bisect(kept, span.start, key=lambda other: other.start)
        is_free = all(other.end <= span.start for other in kept[max(0, place - 1) : place])
        is_free &= all(span.end <= other.start for other in kept[place : place + 1])
        if is_free and span.start < span.end:
            kept.insert(place, span)
    return kept


def tokens_of(text: str, spans: Iterable[MarkedSpan]) -> Iterator[tuple[int, int]]:
    """The begin and end of each word of a text: letters, digits and marks that stand together.

    Any other character but a blank is one of its own. A span begins and ends with a word.
    """
    cuts = {edge for span in spans for edge in (span.start, span.end)}
    start, joins_before = 0, False
    for place, character in enumerate(text):
        joins = _joins(character)
        if not (joins and joins_before) or place in cuts:
            if text[start:place].strip():
                yield start, place
            start = place
        joins_before = joins
    if text[start:].strip():
        yield start, len(text)


def _joins(character: str) -> bool:
    is_letter = character.isalnum() or character == "_"
    return is_letter or character in _JOINERS or unicodedata.category(character)[0] == "M"


def _joined(items: Iterable[Any]) -> Iterator[MarkedSpan]:
    tokens: list[MarkedSpan] = []
    last = -1
    for item in items:
        index, begins, kind = _told(item)
        span = MarkedSpan(item.start, item.end, kind, float(item.score))
        goes_on = index >= 0 and index == last + 1 and not begins
        if tokens and not (goes_on and tokens[-1].kind == kind):
            yield from _whole(tokens)
            tokens = []
        if kind not in ("", _OUTSIDE):
            tokens.append(span)
        last = index
    yield from _whole(tokens)


def _told(item: Any) -> tuple[int, bool, str]:
    """The number of a model's own token, -1 for what is joined; whether it begins; its kind."""
    index, kind = getattr(item, "index", -1), kind_of(item)
    if index >= 0 and kind[:2] in ("B-", "I-"):
        return index, kind[0] == "B", kind[2:]
    return index, False, kind


def _whole(tokens: list[MarkedSpan]) -> Iterator[MarkedSpan]:
    if tokens:
        score = sum(token.score for token in tokens) / len(tokens)
        yield replace(tokens[0], end=tokens[-1].end, score=score)


def _trimmed(span: MarkedSpan, text: str) -> MarkedSpan:
    if not 0 <= span.start <= span.end <= len(text):
        raise RowError(f"characters {span.start} to {span.end} are marked in a text of {len(text)}")
    marked = text[span.start : span.end]
    start = span.start + len(marked) - len(marked.lstrip())
    return replace(span, start=start, end=max(start, span.start + len(marked.rstrip())))
