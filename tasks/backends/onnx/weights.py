"""What a graph's weights are stored in, read from its file without the package onnx.

A file is a protobuf message (onnx.proto3): fields of a number and a wire type. Of it only the way
to the initializers is read; weights themselves are passed over, wherever they lie.
"""

from __future__ import annotations

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

#: ModelProto.graph, GraphProto.initializer, TensorProto.dims and .data_type.
_GRAPH, _INITIALIZER, _DIMS, _TYPE = 7, 5, 1, 2

#: Wire types: a number, eight bytes, so many bytes, four bytes.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5

#: TensorProto.DataType of what weights are stored in.
_NAMES = {1: "float32", 2: "int8", 3: "int8", 10: "float16", 11: "float64", 16: "bfloat16"}
_FOUR_BITS = (21, 22)

_Field = tuple[int, int, int, int]  # its number, its number's value, and where its bytes lie


def stored_in(path: Path) -> str:
    """What most of a graph's weights are: float32, float16, bfloat16, int8 or int4; float32 for a
    file that is none, or has no weights: to open it says so.
    """
    counts: Counter[str] = Counter()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for kind, size in _tensors(data):
                name = "int4" if kind in _FOUR_BITS else _NAMES.get(kind)
                if name is not None:
                    counts[name] += size
    except (OSError, ValueError, IndexError):  # empty, or no such message
        return "float32"
    return counts.most_common(1)[0][0] if counts else "float32"


def _tensors(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Type and numbers of each initializer."""
    for graph in _fields(data, 0, len(data)):
        if graph[0] != _GRAPH:
            continue
        for tensor in _fields(data, *graph[2:]):
            if tensor[0] == _INITIALIZER:
                yield _tensor(data, *tensor[2:])


def _tensor(data: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    kind, dims = 0, list[int]()
    for number, value, begins, ends in _fields(data, start, end):
        if number == _TYPE:
            kind = value
        elif number == _DIMS and begins == ends:
            dims.append(value)
        elif number == _DIMS:  # packed
            while begins < ends:
                value, begins = _varint(data, begins)
                dims.append(value)
    return kind, math.prod(dims)


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[_Field]:
    while at < end:
        tag, at = _varint(data, at)
        wire, value, ends = tag & 7, 0, at
        if wire == _VARINT:
            value, at = _varint(data, at)
            ends = at
        elif wire == _BYTES:
            size, at = _varint(data, at)
            ends = at + size
        elif wire in (_EIGHT, _FOUR):
            ends = at + (8 if wire == _EIGHT else 4)
        else:
            raise ValueError(f"wire type {wire}")
        yield tag >> 3, value, at, ends
        at = ends


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
