"""Weight files, by their first bytes: no tensor is read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2}

#: Bytes that the header's length takes.
_LENGTH = 8


class BrokenFileError(ValueError):
    """A file is no safetensors file, or not all of one."""


def read_header(path: Path) -> dict[str, Any]:
    """A file's tensors: name -> dtype, shape, data_offsets. Raises BrokenFileError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_LENGTH)
        if head.startswith(b"version "):
            raise BrokenFileError(f"{path.name} is a Git LFS pointer: `git lfs pull` fetches it")
        length = int.from_bytes(head, "little")
        if len(head) < _LENGTH or length > size - _LENGTH:
            raise BrokenFileError(f"{path.name} is cut short or no safetensors file")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            tensors = {name: told for name, told in header.items() if name != "__metadata__"}
            end = max((int(told["data_offsets"][1]) for told in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BrokenFileError(f"{path.name} is no safetensors file") from None
    if end > size - _LENGTH - length:
        raise BrokenFileError(f"{path.name} is cut short: copy or download it again")
    return tensors


def bytes_in_memory(tensors: dict[str, Any], float_bytes: int) -> int:
    """What the tensors take when floats have so many bytes each."""
    total = 0
    for told in tensors.values():
        each = float_bytes if "F" in told["dtype"] else _BYTES.get(told["dtype"], 1)
        total += math.prod(told["shape"]) * each
    return total
