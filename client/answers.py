"""Answers of any task as a table: a line for each thing that was found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from rich.table import Table

from ..tasks.base import TaskOutput
from .terminal import table

#: Numbers that are shown of a vector.
_HEAD = 6

#: What files begin with.
_FILES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"RIFF": "WAV", b"fLaC": "FLAC"}

#: Columns that hold words: only these may be broken to fit a narrow terminal.
_WORDS = "text label answer sequence word found"


def answer_table(output: TaskOutput) -> Table:
    """All rows of an answer; one in which nothing was found says so."""
    lines: list[dict[str, str]] = []
    for number, row in enumerate(output.rows()):
        cells = {name: getattr(row, name)[0] for name in type(row).contents()}
        lines += ({"row": str(number), **found} for found in _lines(cells))
    titles = list(dict.fromkeys(title for line in lines for title in line))
    return table(titles, [[line.get(t, "") for t in titles] for line in lines], fold=_WORDS)


def _lines(cells: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What one row of an answer holds, a mapping of columns for each line."""
    columns = {name: _column(name, value) for name, value in cells.items()}
    height = max(map(len, columns.values()), default=0)
    if not height:
        yield {"found": "nothing"}
    for at in range(height):
        line: dict[str, str] = {}
        for name, entries in columns.items():
            for title, text in (entries[at] if at < len(entries) else {}).items():
                # Two fields of one answer may both have a text: the second keeps its own name.
                line[title if title not in line else f"{_one(name)} {title}"] = text
        yield line


def _column(name: str, value: Any) -> list[dict[str, str]]:
    """A field's entry of one row, as lines: one for each thing in a list, one for all else."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [_cells(name, value)]
    if value and isinstance(value[0], float) and name != "scores":  # a vector
        return [_cells(name, value)]
    if value and isinstance(value[0], list):
        return [{"size": f"{len(value)} x {len(value[0])}", **_cells(name, value[0])}]
    return [_cells(name, entry) for entry in value]


def _cells(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, BaseModel):
        return {field: _text(field, getattr(value, field)) for field in type(value).model_fields}
    if isinstance(value, list):
        head = ", ".join(f"{number:+.4f}" for number in value[:_HEAD])
        more = ", ..." if len(value) > _HEAD else ""
        return {"dimensions": str(len(value)), _one(name): head + more}
    return {_one(name): _text(_one(name), value)}


def _one(name: str) -> str:
    """A field's name for one of its entries."""
    return name.removesuffix("es" if name.endswith("xes") else "s")


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        kind = next((kind for start, kind in _FILES.items() if value.startswith(start)), "")
        return f"{kind} {len(value):,} bytes".lstrip()
    if isinstance(value, float):
        return f"{value:.4f}" if name == "score" else f"{value:g}"
    if isinstance(value, BaseModel):  # a box: pixels
        return ", ".join(f"{getattr(value, field):.0f}" for field in type(value).model_fields)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
