"""CTranslate2's model.bin: tensors by name, in little-endian bytes.

    version u32, specification (string), its revision u32, number of variables u32
    each variable: name (string), rank u8, dimensions u32 each, type u8, bytes u32, the values
    number of aliases u32, each: alias (string), name of a variable (string)

A string is its length u16 with the closing zero, and so many bytes. Written by `ModelSpec` of
CTranslate2's Python package, which is the format's only description.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

#: Since when variables tell their type, and aliases follow them; the newest version known.
_OLDEST, _NEWEST = 5, 6

#: Types by their number. bfloat16, which numpy lacks, would be 5.
_DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read_variables(path: Path) -> dict[str, NDArray[Any]]:
    """The variables of a file, by their names and aliases. Raises ValueError for another format."""
    with path.open("rb") as file:
        (version,) = _numbers(file, "I")
        if not _OLDEST <= version <= _NEWEST:
            raise ValueError(f"{path}: not CTranslate2 of version {_OLDEST} to {_NEWEST}")
        _string(file)
        _, count = _numbers(file, "II")
        variables = dict(_variable(file) for _ in range(count))
        (aliases,) = _numbers(file, "I")
        for _ in range(aliases):
            alias, name = _string(file), _string(file)
            variables[alias] = variables[name]
        if file.read(1):
            raise ValueError(f"{path}: more follows the last alias")
    return variables


def _variable(file: BinaryIO) -> tuple[str, NDArray[Any]]:
    name = _string(file)
    (rank,) = _numbers(file, "B")
    shape = _numbers(file, f"{rank}I")
    kind, size = _numbers(file, "BI")
    if kind not in _DTYPES:
        raise ValueError(f"variable {name!r}: type {kind} is not known")
    return name, np.frombuffer(_exactly(file, size), _DTYPES[kind]).reshape(shape)


def _string(file: BinaryIO) -> str:
    (length,) = _numbers(file, "H")
    return _exactly(file, length).rstrip(b"\0").decode()


def _numbers(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(f"<{form}", _exactly(file, struct.calcsize(f"<{form}")))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError(f"{file.name}: ends too early")
    return data
