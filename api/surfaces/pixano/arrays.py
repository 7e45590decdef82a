"""Pixano's arrays of numbers, as each generation writes them."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from ....protocol.base64_text import decoded
from ....protocol.errors import InvalidRequest
from ....tasks.tensors import Grid

#: How clients call the numbers, that which leaves it out among them.
_FLOATS = ("float32", "", None)


class Array(NamedTuple):
    """Numbers, the last axis fastest. Pixano's clients refuse an axis of length 0."""

    values: Sequence[float]
    shape: tuple[int, ...]


def read_array(given: Any, field: str) -> Array:
    """`{values, shape}`, or `{data, shape, dtype}` in base64. Raises InvalidRequest."""
    match given:
        case {"shape": list(shape), "values": list(values)}:
            pass
        case {"shape": list(shape), "data": str(data)} if given.get("dtype") in _FLOATS:
            values = _unpacked(data, field)
        case _:
            raise InvalidRequest(f"{field}: expected an array, its values (float32) and its shape")
    axes = [axis for axis in shape if type(axis) is int and axis > 0]
    if len(axes) < len(shape) or math.prod(axes) != len(values):
        raise InvalidRequest(f"{field}: {len(values)} values do not fill the shape {shape}")
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise InvalidRequest(f"{field}: expected numbers")
    return Array([float(value) for value in values], tuple(axes))


def _unpacked(data: str, field: str) -> list[float]:
    try:
        raw = decoded(data)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    except (ValueError, struct.error):
        raise InvalidRequest(f"{field}: data: not base64 of float32") from None


def grids_of(array: Array, prompts: int, field: str) -> list[Grid]:
    """A grid a prompt of an array (h, w), (prompts, h, w) or (prompts, 1, h, w).

    Raises InvalidRequest for others: of several masks the client is to choose one.
    """
    shape = array.shape
    count = math.prod(shape[:-2])
    if len(shape) < 2 or count != prompts:
        raise InvalidRequest(
            f"{field}: the shape {list(shape)} has not one mask for each of {prompts} prompts: "
            "give the one that is to be refined"
        )
    high, wide = shape[-2:]
    lines = [list(array.values[i : i + wide]) for i in range(0, len(array.values), wide)]
    return [lines[i : i + high] for i in range(0, len(lines), high)]


def name_in(array: Array) -> str:
    """The name of a kept image that `array_of_name` wrote; "" for what is none."""
    whole = all(value == int(value) and 0 <= value < 256 for value in array.values)
    return bytes(map(int, array.values)).hex() if whole and array.shape == (_NAME,) else ""


def array_of_name(name: str) -> Array | None:
    """A kept image's name as an array; None where there is none."""
    return Array(list(bytes.fromhex(name)), (_NAME,)) if name else None


#: Numbers that such a name has, a byte each.
_NAME = 16
