"""Answers in words: what a row's items, texts, scores or vectors come to, whatever the task.

What an item is called is told by its fields, so that tasks of other packages are shown as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ....tasks.base import TaskOutput
from .colours import Colour, Colours, numbered
from .markup import cut, escaped, escaped_lines, score

#: Fields of items, of which the first that is there and not empty names it.
_NAMES = ("label", "entity", "answer", "token_str", "text", "word")

#: Items that are told, and characters of each.
_MOST, _LONG, _LONG_TEXT = 8, 60, 600


@dataclass(frozen=True, slots=True)
class Item:
    """Something that an answer lists."""

    name: str
    score: float | None
    colour: Colour
    #: As the task has it.
    value: Any


def items_in(output: TaskOutput, colours: Colours) -> list[Item]:
    """What a row's answer lists; empty where it is something else."""
    found: list[Item] = []
    for row in _rows(output):
        for value in row if isinstance(row, list) else ():
            if isinstance(value, BaseModel):
                found.append(_item(value, len(found), colours))
    return found


def answer_html(output: TaskOutput, items: Sequence[Item]) -> str:
    """An answer as HTML: a list of items, or paragraphs."""
    paragraphs = [f"<p>{escaped_lines(cut(text, _LONG_TEXT))}</p>" for text in _texts(output)]
    if not items and not paragraphs:
        paragraphs = ["<p class=none>nothing found</p>"]
    return "".join(paragraphs) + (_listed(items) if items else "")


def summed_up(items: Sequence[Item]) -> str:
    """Items as plain text, for those who cannot see the picture."""
    some = ", ".join(f"{item.name} {score(item.score)}".strip() for item in items[:_MOST])
    return some + (f" and {len(items) - _MOST} more" if len(items) > _MOST else "")


def _listed(items: Sequence[Item]) -> str:
    lines = [
        f'<li><i style="background:{item.colour.css}"></i>'
        f"<bdi>{escaped(cut(item.name, _LONG))}</bdi> <b>{score(item.score)}</b></li>"
        for item in items[:_MOST]
    ]
    if len(items) > _MOST:
        lines.append(f"<li class=more>and {len(items) - _MOST} more</li>")
    return f"<ul class=items>{''.join(lines)}</ul>"


def _item(value: BaseModel, place: int, colours: Colours) -> Item:
    names = (getattr(value, field, None) for field in _NAMES)
    name = next((name for name in names if isinstance(name, str) and name), "")
    sure = getattr(value, "score", None)
    return Item(
        name=name or f"{type(value).__name__} {place + 1}",
        score=sure if isinstance(sure, float) else None,
        colour=_colour(value, name, place, colours),
        value=value,
    )


def _colour(value: BaseModel, name: str, place: int, colours: Colours) -> Colour:
    """A keypoint has its object's colour, what has a label its label's."""
    of = getattr(value, "object", None)
    if of is not None:
        return numbered(of)
    labelled = getattr(value, "label", "") or getattr(value, "entity", "")
    return colours[name] if labelled else numbered(place)


def _rows(output: TaskOutput) -> Iterator[Any]:
    for field in output.contents():
        yield from (getattr(output, field) or [])[:1]


def _texts(output: TaskOutput) -> Iterator[str]:
    """What an answer holds beside items and files."""
    for row in _rows(output):
        text = getattr(row, "text", row)
        if isinstance(text, str):
            yield text
        elif isinstance(row, list):
            if row and all(isinstance(value, float) for value in row):
                yield _vector(row)
            elif row and isinstance(row[0], list):
                yield f"{len(row)} vectors of {len(row[0])} numbers"
        elif isinstance(row, dict | int | float):
            yield json.dumps(row, ensure_ascii=False, default=str)


def _vector(values: Sequence[float]) -> str:
    if len(values) <= _MOST:
        return ", ".join(map(score, values))
    return f"{len(values)} numbers: {', '.join(f'{value:.3f}' for value in values[:4])}, …"
