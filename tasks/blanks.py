"""What pads tensors of pictures: empty ones, so that who decodes every entry can.

A client that knows no `row_lengths` takes the padding for masks: these have the row's size and mark
nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from ..protocol import v2
from .base import Task, TaskInput
from .media.size import displayed_size
from .tensors import ROW_LENGTHS
from .values.masks import write_mask

Size = tuple[int, int]


def with_blanks(
    response: v2.InferenceResponse, task: Task, rows: Sequence[TaskInput | None]
) -> v2.InferenceResponse:
    """A response whose padded tensors of pictures hold a picture everywhere.

    Of the size of the row's others, else of the image that the row was asked about; None is a row
    that never came.
    """
    for tensor in response.outputs:
        if ROW_LENGTHS not in tensor.parameters:
            continue
        if any(spec.name == tensor.name and spec.content == "image" for spec in task.outputs):
            _fill(tensor.data, rows)
    return response


def _fill(data: list[list[bytes]], rows: Sequence[TaskInput | None]) -> None:
    some = next((file for files in data for file in files if file), b"")
    for files, row in zip(data, rows, strict=True):
        if all(files):
            continue
        # A row that failed may have no image: then one that another row has will do.
        first = files[0] or (_asked_about(row) if row else b"")
        size = displayed_size(first) or displayed_size(some)
        if size is not None:
            files[:] = [file or _blank(size) for file in files]


def _asked_about(row: TaskInput) -> bytes:
    """The row's image, of a video the first."""
    for spec in row.TENSORS:
        if spec.content == "image":
            entry: bytes | list[bytes] = getattr(row, spec.field)[0]
            return entry if isinstance(entry, bytes) else entry[0]
    return b""


@functools.lru_cache(maxsize=8)  # the rows of a stream of pictures are often of one size
def _blank(size: Size) -> bytes:
    width, height = size
    return write_mask(np.zeros((height, width), np.bool_))
