"""Decoding a batch's rows: on all cores where that pays, one after the other where not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ...protocol.errors import RowError
from .. import cost
from ..base import TaskInput
from ..vision.documents import DocumentsInput
from .decoding_pool import DecodingTask, ranked_pool

T = TypeVar("T")

#: Bytes of a row's files from which a thread of its own pays: such a picture takes 0.3 ms, and to
#: hand it over 0.03.
_WORTH_IT = 4096

#: Bytes that a row takes while it is decoded, for each unit that it weighs: Pillow's pixels; sound
#: of two channels as it usually is.
_BYTES = {"pixels": 4, "milliseconds": 2 * 4 * 48, "tokens": 0}


def decode_each(rows: Sequence[TaskInput], decode: Callable[[TaskInput], T]) -> list[T | RowError]:
    """What is made of each row, or its own error.

    Raises what else `decode` raises of the first row for which it does. It may be called by
    several threads at once, and none of them is the caller's.
    """
    mine = ranked_pool()
    sizes = [_file_bytes(row) for row in rows] if mine and mine.pool.threads > 1 else []
    if mine is None or sum(size >= _WORTH_IT for size in sizes) < 2:
        return [_made(decode, row) for row in rows]
    found: list[Any] = [None] * len(rows)  # a T, or an exception

    def task(places: Sequence[int]) -> DecodingTask:
        def run() -> bool:
            for place in places:
                try:
                    found[place] = _made(decode, rows[place])
                except BaseException as error:
                    found[place] = error
                    return False
            return True

        return DecodingTask(run, max(max(sizes[i], _weight(rows[i])) for i in places))

    mine.pool.run([task(places) for places in _together(rows)], mine.rank)
    for made in found:
        if isinstance(made, BaseException) and not isinstance(made, RowError):
            raise made
    return found


def _made(decode: Callable[[TaskInput], T], row: TaskInput) -> T | RowError:
    try:
        return decode(row)
    except RowError as error:
        return error


def _together(rows: Sequence[TaskInput]) -> list[list[int]]:
    """Places of rows that one thread has to read: pages of a document have one reader."""
    groups: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        page = row.page if isinstance(row, DocumentsInput) else None
        groups.setdefault(id(row if page is None else page.pages), []).append(place)
    return list(groups.values())


@functools.cache  # read for every batch
def _file_fields(kind: type[TaskInput]) -> tuple[str, ...]:
    return tuple(spec.field for spec in kind.TENSORS if spec.is_file and spec.field in kind.ROWS)


def _file_bytes(row: TaskInput) -> int:
    """Bytes of a row's files, as they came."""
    return sum(_size(getattr(row, name)) for name in _file_fields(type(row)))


def _size(value: Any) -> int:  # a file, or lists of them; None where there is none
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value) if value else 0


def _weight(row: TaskInput) -> int:
    """Bytes that it takes to decode a row, about."""
    return sum(row.costs()) * _BYTES[cost.unit(spec.content for spec in row.TENSORS)]
