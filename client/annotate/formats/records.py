"""One row's answer as plain values, the same for every table-like format.

    id, path, index, size    whose answer it is; size is [width, height] in pixels, None without
    frame, time, page        of a row that is a part of its file: the frame's number from 0, when it
                             is shown, in seconds, the page's number from 1
    <name> ...               what the Output holds

An Output's field keeps its name where it lists items (`detections`). A field that one tensor fills
with a value a row has that tensor's name (`texts` -> `text`), and one that holds a model per row is
unpacked (`text`, `finish_reason`, ...). Masks are run lengths as COCO has them, other files bytes.
"""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

from pydantic import BaseModel

from ....tasks.annotations.fields import MASK, bare, element, entries, model_in
from ....tasks.base import Task
from ....tasks.plain_items import PlainItems, form_of
from ....tasks.values.rounding import PIXELS, number, pixels
from ..rows import Annotation, SampledFrame

HEAD = ("id", "path", "index", "size")
#: What follows where rows are frames or pages.
FRAME = ("frame", "time", "page")
#: Name and content of a file -> what stands in its place.
Keep = Callable[[str, bytes], Any]


def runs_or_bytes(name: str, data: bytes) -> Any:
    """A file as it stands in records: masks as run lengths, others as they are."""
    if name != MASK:
        return data
    from .mask_runs import runs_of  # numpy and Pillow, for masks alone

    return runs_of(data)


def record_of(annotation: Annotation, task: Task, keep: Keep = runs_or_bytes) -> dict[str, Any]:
    """The record of a row: numbers are rounded, files are what `keep` makes of them."""
    size = None if annotation.size is None else list(annotation.size)
    record: dict[str, Any] = {
        "id": annotation.id,
        "path": annotation.path,
        "index": annotation.index,
        "size": size,
    }
    if of := annotation.frame:
        record |= dict(zip(FRAME, (of.number, of.time_s, of.page), strict=True))
    items = annotation.items
    if items is not None and (told := _told(task)):
        record[told.name] = told.items(items)
        return record
    answers = annotation.output.__dict__  # pydantic's way to a field takes as long as its value
    for entry in entries(task):
        value = answers[entry.field][0]
        if entry.kind is Any:
            record[entry.name] = value  # its numbers are somebody else's
        elif entry.name:
            record[entry.name] = _record_value(value, entry.name, keep)
        else:
            record |= _record_value(value, "", keep)
    return record


@dataclass(frozen=True, slots=True)
class _Told:
    """How a row's items stand in records, made of their plain values."""

    name: str
    names: tuple[str, ...]
    #: What each field's values are made of; None where they stand there as they are.
    made: tuple[Callable[[Any], Any] | None, ...]

    def items(self, items: PlainItems) -> list[dict[str, Any]]:
        """A row's items."""
        columns = [
            values if made is None else list(map(made, values))
            for made, values in zip(self.made, items, strict=True)
        ]
        return [dict(zip(self.names, values, strict=True)) for values in zip(*columns, strict=True)]


@functools.cache
def _told(task: Task) -> _Told | None:
    """None for answers that plain values do not tell."""
    form, found = form_of(task.output), entries(task)
    if form is None or len(found) != 1 or not found[0].name:
        return None
    fields = zip(form.names, form.kinds, form.inner, strict=True)
    return _Told(found[0].name, form.names, tuple(_made(*field) for field in fields))


def _made(name: str, kind: type, inner: Sequence[str]) -> Callable[[Any], Any] | None:
    """What a field's value is made of; one that is a model is the list of its fields' values."""
    if inner:
        parts = [(part, _made(part, kind, ()) or _same) for part in inner]
        return lambda values: {
            part: made(value) for (part, made), value in zip(parts, values, strict=True)
        }
    if kind is not float:
        return None
    return pixels if name in PIXELS else number


def _same(value: Any) -> Any:
    return value


def annotation_of(record: Mapping[str, Any], task: Task) -> Annotation:
    """The row of a record. Raises KeyError or ValueError for another task's."""
    fields = {}
    for entry in entries(task):
        value = record[entry.name] if entry.name else record
        fields[entry.field] = [_filled(value, entry.kind)]
    size = record["size"]
    return Annotation(
        index=record["index"],
        id=record["id"],
        path=record["path"],
        output=task.output.model_validate(fields),
        size=None if size is None else (size[0], size[1]),
        frame=_frame_of(record),
    )


def _frame_of(record: Mapping[str, Any]) -> SampledFrame | None:
    number, time_s, page = (record.get(name) for name in FRAME)
    if number is None:
        return None
    return SampledFrame(record["id"].rpartition("#")[0], number, None, time_s, page)


def _record_value(value: Any, name: str, keep: Keep) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is float:
        return pixels(value) if name in PIXELS else number(value)
    if kind is list:
        return [_record_value(part, name, keep) for part in value]
    if kind is bytes:
        return keep(name, value)
    return _model_value(value, keep) if issubclass(kind, BaseModel) else value


def _model_value(value: BaseModel, keep: Keep) -> dict[str, Any]:
    # Texts and scores are most of all there is.
    return {
        name: part
        if type(part) in _AS_THEY_ARE
        else number(part)
        if type(part) is float and name not in PIXELS
        else _record_value(part, name, keep)
        for name, part in value.__dict__.items()
    }


_AS_THEY_ARE = frozenset({str, int, bool, NoneType})


def _filled(value: Any, kind: Any) -> Any:
    """A value of a record as an Output has it: masks are files again, what JSON lacks is NaN."""
    if value is None:
        return math.nan if kind is float else None
    inner, model = element(kind), model_in(bare(kind))
    if inner is not None:
        return [_filled(part, inner) for part in value]
    if model is not None:
        fields = model.model_fields.items()
        return {name: _filled(value[name], field.annotation) for name, field in fields}
    if kind is bytes and isinstance(value, dict):
        from .mask_runs import file_of

        return file_of(value)
    return base64.b64decode(value) if kind is bytes and isinstance(value, str) else value
